"""Loads and proves the models that the settings name."""

import logging
from collections.abc import Mapping
from pathlib import Path

from service.contract.errors import InvalidValue, ModelError, SettingsError
from service.contract.manifest import Manifest
from service.contract.policy import Policy
from service.inference.classifier import Classifier
from service.inference.decision import is_infeasible, resolve
from service.inference.explainer import Explainer
from service.inference.model_file import read_model
from service.inference.outcome import ModelRef
from service.inference.prediction_id import PredictionIds
from service.inference.predictor import Predictor
from service.inference.readers.reader import reader_for
from service.monitoring.feedback import database
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.metrics.tallies import Tallies
from service.monitoring.monitor import Monitor
from service.monitoring.worker_slot import ALONE, WorkerSlot
from service.registry.served_model import Models, ServedModel
from service.registry.worker_copy import WorkerCopy
from service.settings import PREFIX, Settings

_log = logging.getLogger("demur")


def load(settings: Settings, slot: WorkerSlot = ALONE, metrics: Metrics | None = None) -> Models:
    """Load and prove one model, or every `*.onnx` in a folder, as the settings say.

    In a folder, a file that fails its proof is logged, and the others are served. Raises ModelError if the default
    model or all models fail, and SettingsError for a default policy that a model is not certified for, or a feedback
    file that cannot be written.
    """
    metrics = metrics or Metrics(Tallies(slot))
    if settings.feedback_path is not None:
        database.prepare(settings.feedback_path, f"{PREFIX}FEEDBACK_PATH")
    if settings.models is None:
        if settings.default_model is not None:
            raise SettingsError(f"{PREFIX}DEFAULT_MODEL={settings.default_model}: only applies with {PREFIX}MODELS")
        model = _load_one(settings.model_name, settings.model_path, settings, slot, metrics)
        return Models({model.ref.name: model}, model.ref.name)
    if settings.model_name is not None:
        raise SettingsError(
            f"{PREFIX}MODEL_NAME={settings.model_name}: only applies to a single model; "
            f"those in {PREFIX}MODELS are named after their files"
        )
    if settings.model_sha256 is not None:
        raise SettingsError(f"{PREFIX}MODEL_SHA256={settings.model_sha256}: only applies to a single model")
    files = _existing_files(settings.models)
    default_name = _default_name(settings.default_model, files)
    by_name: dict[str, ServedModel | None] = {}
    for name, path in files.items():
        try:
            by_name[name] = _load_one(name, path, settings, slot, metrics)
        except ModelError as error:
            if name == default_name:
                raise
            _log.error("model %s is not served: %s", name, error)
            by_name[name] = None
    if not any(by_name.values()):
        raise ModelError(f"no model in {settings.models} passed its proof")
    return Models(by_name, default_name)


def model_files(folder: Path) -> dict[str, Path]:
    """The model files in a folder by model name; none if it is not a folder."""
    return {path.stem: path for path in sorted(folder.glob("*.onnx")) if not path.name.startswith(".")}


def _existing_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise SettingsError(f"{PREFIX}MODELS={folder}: is not a folder")
    files = model_files(folder)
    if not files:
        raise SettingsError(
            f"{PREFIX}MODELS={folder}: contains no *.onnx file. Train one: demur fit --out {folder}/NAME.onnx"
        )
    return files


def _default_name(configured: str | None, files: Mapping[str, Path]) -> str | None:
    if configured is None:
        return next(iter(files)) if len(files) == 1 else None
    if configured not in files:
        raise SettingsError(f"{PREFIX}DEFAULT_MODEL={configured}: is not one of {', '.join(files)}")
    return configured


def _load_one(name: str | None, path: Path, settings: Settings, slot: WorkerSlot, metrics: Metrics) -> ServedModel:
    """The model that the other workers serve under this name, if any; else the model in the file."""
    copy = WorkerCopy(slot, path)
    file = copy.read(settings.max_model_bytes)
    if file is None:
        file = read_model(path, settings.max_model_bytes)
        classifier = prove(file, path, settings)
        copy.write(file)
    else:
        classifier = prove(file, copy.path or path, settings)
    return assemble(name, classifier, settings, slot, metrics)


def prove(file: bytes, path: Path, settings: Settings) -> Classifier:
    """The classifier in the bytes of a model's file. Raises ModelError if it fails its proof."""
    return Classifier.of_bytes(file, path, intra_op_threads=settings.intra_op_threads, pinned=settings.model_sha256)


def assemble(
    name: str | None, classifier: Classifier, settings: Settings, slot: WorkerSlot, metrics: Metrics
) -> ServedModel:
    """A proved model with its predictor, monitor and explainer.

    It is served under `name`, or under the name in its manifest if that is None. Raises SettingsError for a default
    policy that the model is not certified for.
    """
    manifest, version = classifier.manifest, classifier.version
    name = name or manifest.name
    policy = _default_policy(name, manifest, settings)
    _log.info("model %s %s passed its proof; its default policy is %s", name, version, policy)
    for warning in manifest.warnings:
        _log.warning("model %s: %s", name, warning)
    monitor = Monitor.of(ModelRef(name=name, version=version), manifest, policy, settings, slot)
    audited = settings.feedback_counts == "audited"
    ids = PredictionIds(version, settings.audit_share if audited else 0, monitor.feedback.register)
    observers = [monitor.drift.record, metrics.confidences(name).record]
    predictor = Predictor(name, classifier, reader_for(manifest.input, settings.read_limits), policy, ids, observers)
    return ServedModel(predictor, monitor, Explainer(classifier))


def _default_policy(name: str, manifest: Manifest, settings: Settings) -> Policy:
    request = settings.default_policy
    try:
        policy = manifest.default_policy if request is None else resolve(request, manifest.abstention)
    except InvalidValue as error:
        raise SettingsError(f"{PREFIX}DEFAULT_POLICY, for model {name}: {error}") from None
    if is_infeasible(policy):
        _log.warning(
            "model %s: the default policy could not be certified: the model abstains for every request that names no "
            "other policy",
            name,
        )
    return policy
