"""Examples of bodies, for `/openapi.json`. Bodies that depend on the model get theirs from its reader."""

from typing import Any

_MODEL = {"name": "fashion-mnist", "version": "30e572ffba85"}
_POLICY_FEEDBACK = {
    "policy": {
        "kind": "selective_risk",
        "selective_risk": 0.05,
        "confidence_level": 0.95,
        "threshold": 0.7985199093818665,
    },
    "answered": 200,
    "errors": 6,
    "abstained": 90,
    "judged": 200,
    "judged_errors": 6,
    "missing": 0,
    "waiting": 12,
    "selective_risk": 0.03,
    "risk_lower_bound": 0.01,
    "risk_upper_bound": 0.08,
    "confidence_level": 0.95,
    "answer_cost": None,
    "promise": "open",
    "warning": None,
}
_VERDICT = {"status": "stable", "psi": 0.01, "p_value": 0.4}
_SCORES = {
    **_VERDICT,
    "bins": [
        {"at_least": None, "under": 0.5, "expected": 0.2, "observed": 0.25},
        {"at_least": 0.5, "under": None, "expected": 0.8, "observed": 0.75},
    ],
}
EXAMPLES: dict[str, Any] = {
    "ModelNames": {"models": ["fashion-mnist"]},
    "Status": {"status": "ready"},
    "FeedbackResponse": {"model": _MODEL, "policies": [_POLICY_FEEDBACK]},
    "DriftResponse": {
        "model": _MODEL,
        "inputs": 10000,
        "window": 10000,
        "window_number": 12,
        "inputs_since": 2417,
        "reference": {"split": "calibration", "size": 5000},
        "labels": {**_VERDICT, "bins": [{"label": "Ankle boot", "expected": 0.1, "observed": 0.11}]},
        "confidence": _SCORES,
        "ood_score": _SCORES,
    },
    "PredictResponse": {
        "model": {"name": "fashion-mnist", "version": "30e572ffba85"},
        "policy": {
            "kind": "selective_risk",
            "selective_risk": 0.05,
            "confidence_level": 0.95,
            "threshold": 0.7985199093818665,
        },
        "prediction_sets": {"set_coverage": 0.95, "method": "by_decision"},
        "predictions": [
            {
                "id": "Z8qRdO-v7zDlcv-6hQE_qZmZmZmZmgAAAAlpJPGA",
                "audit": False,
                "decision": "answer",
                "label": "Ankle boot",
                "reason": None,
                "confidence": 0.8421744108200073,
                "top_k": [{"label": "Ankle boot", "probability": 0.8421744108200073}],
                "probabilities": None,
                "prediction_set": ["Sandal", "Sneaker", "Ankle boot"],
            },
            {
                "id": "Z8qRdO-v8DDlcv-6hQE_qZmZmZmZmv____9pJPGA",
                "audit": False,
                "decision": "abstain",
                "label": None,
                "reason": "low_confidence",
                "confidence": 0.4375,
                "top_k": [{"label": "Shirt", "probability": 0.4375}],
                "probabilities": None,
                "prediction_set": ["Pullover", "Coat", "Shirt"],
            },
        ],
    },
    "ModelsResponse": {
        "models": [
            {"name": "fashion-mnist", "ready": True, "version": "30e572ffba85", "kind": "image", "default": True},
            {"name": "patients", "ready": False, "version": None, "kind": None, "default": False},
        ]
    },
    "ProblemDetails": {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "top_k=12 is out of range: 1 to 10",
        "request_id": "d93abf5e50c5e3d6c85a25b02ebace6a",
        "errors": [{"field": "top_k", "detail": "top_k=12 is out of range: 1 to 10"}],
    },
    "InputsResponse": {"inputs": [{"age": 40.0, "sex": "f", "mass": 70.5}]},
    "FeedbackRequest": {"id": "Z8qRdO-v7zDlcv-6hQE_qZmZmZmZmgAAAAlpJPGA", "label": "Ankle boot"},
    "PolicyFeedback": _POLICY_FEEDBACK,
    "ExplainResponse": {
        "model": {"name": "patients", "version": "9f0c2d51b7de"},
        "explanations": [
            {
                "label": "ill",
                "probability": 0.880797,
                "logit": 1.0,
                "bias": 0.25,
                "contributions": {"age": 0.5, "sex": -0.25, "mass": 0.5},
            }
        ],
    },
    "ServerMetadata": {"name": "demur", "version": "0.1.0", "extensions": ["binary_tensor_data", "classification"]},
    "Live": {"live": True},
    "Ready": {"live": True, "ready": True},
    "ModelReady": {"name": "fashion-mnist", "ready": True},
    "ModelMetadata": {
        "name": "fashion-mnist",
        "versions": ["30e572ffba85"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28]}],
        "outputs": [{"name": "decision", "datatype": "BYTES", "shape": [-1]}],
        "properties": {"kind": "image", "labels": "T-shirt/top\nTrouser"},
    },
    "InferRequest": {
        "inputs": [{"name": "images", "datatype": "UINT8", "shape": [1, 28, 28], "data": [0] * 784}],
        "outputs": [{"name": "decision"}, {"name": "reason"}],
    },
    "InferResponse": {
        "model_name": "fashion-mnist",
        "model_version": "30e572ffba85",
        "parameters": {"policy": "threshold", "threshold": 0.9},
        "outputs": [
            {"name": "decision", "datatype": "BYTES", "shape": [1], "data": ["abstain"]},
            {"name": "reason", "datatype": "BYTES", "shape": [1], "data": ["out_of_distribution"]},
        ],
    },
    "RepositoryIndex": [{"name": "fashion-mnist", "version": "30e572ffba85", "state": "READY"}],
    "IndexEntry": {"name": "fashion-mnist", "version": "30e572ffba85", "state": "READY"},
    "ProtocolError": {"error": "model x does not exist: there are y"},
}
