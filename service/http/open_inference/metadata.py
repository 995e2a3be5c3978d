"""Metadata of the server and its models."""

from typing import Any

import service
from service.http.open_inference.outputs import described
from service.http.open_inference.tensors import datatype_of
from service.registry.served_model import Models, ServedModel

EXTENSIONS = ["binary_tensor_data", "classification", "model_repository"]


def server_metadata() -> dict[str, Any]:
    """Name, version and extensions."""
    return {"name": "demur", "version": service.__version__, "extensions": EXTENSIONS}


def model_metadata(model: ServedModel) -> dict[str, Any]:
    """Its tensors, where -1 is the batch; the labels are in `properties`, one per line."""
    manifest = model.manifest
    kind = manifest.input
    outputs = described(manifest)
    return {
        "name": model.ref.name,
        "versions": [model.ref.version],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": kind.name, "datatype": datatype_of(kind.dtype), "shape": [-1, *kind.row_shape]}],
        "outputs": [{"name": n, "datatype": datatype, "shape": shape} for n, (datatype, shape) in outputs.items()],
        "properties": {"kind": kind.kind, "labels": "\n".join(manifest.labels)},
    }


def repository_index(models: Models) -> list[dict[str, str]]:
    """Every model, with its state."""
    return [
        {"name": name, "version": model.ref.version, "state": "READY"}
        if model is not None
        else {"name": name, "version": "", "state": "UNAVAILABLE", "reason": "it did not pass its proof"}
        for name, model in models.by_name.items()
    ]
