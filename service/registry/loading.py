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
    """Load and prove the one model, or every `*.onnx` of the folder that the settings name.

    In a folder a file that may not serve is logged and does not stop the others. Raises ModelError where none may, or
    the default one may not, and SettingsError for a default policy that a model is not certified for, or a file that
    feedback cannot be kept in.
    """
    metrics = metrics or Metrics(Tallies(slot))
    if settings.feedback_path is not None:
        database.prepare(settings.feedback_path, f"{PREFIX}FEEDBACK_PATH")
    if settings.models is None:
        if settings.default_model is not None:
            raise SettingsError(f"{PREFIX}DEFAULT_MODEL={settings.default_model}: is for several, in {PREFIX}MODELS")
        only = _loaded(settings.model_name, settings.model_path, settings, slot, metrics)
        return Models({only.ref.name: only}, only.ref.name)
    if settings.model_name is not None:
        raise SettingsError(
            f"{PREFIX}MODEL_NAME={settings.model_name}: is for one; those in a folder have their files'"
        )
    if settings.model_sha256 is not None:
        raise SettingsError(f"{PREFIX}MODEL_SHA256={settings.model_sha256}: is for one, not for those in a folder")
    files = _files(settings.models)
    default_name = _default_name(settings.default_model, files)
    by_name: dict[str, ServedModel | None] = {}
    for name, path in files.items():
        try:
            by_name[name] = _loaded(name, path, settings, slot, metrics)
        except ModelError as error:
            if name == default_name:
                raise
            _log.error("model %s may not serve: %s", name, error)
            by_name[name] = None
    if not any(by_name.values()):
        raise ModelError(f"{settings.models} holds no model that may serve")
    return Models(by_name, default_name)


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise SettingsError(f"{PREFIX}MODELS={folder}: is no folder")
    files = files_in(folder)
    if not files:
        raise SettingsError(f"{PREFIX}MODELS={folder}: holds no file *.onnx")
    return files


def files_in(folder: Path) -> dict[str, Path]:
    """The model files of a folder by the names of their models; none where it is no folder."""
    return {path.stem: path for path in sorted(folder.glob("*.onnx")) if not path.name.startswith(".")}


def _default_name(asked: str | None, files: Mapping[str, Path]) -> str | None:
    if asked is None:
        return next(iter(files)) if len(files) == 1 else None
    if asked not in files:
        raise SettingsError(f"{PREFIX}DEFAULT_MODEL={asked}: is none of {', '.join(files)}")
    return asked


def _loaded(name: str | None, path: Path, settings: Settings, slot: WorkerSlot, metrics: Metrics) -> ServedModel:
    """The model of a file, or the one that the other workers serve under its name, whatever the file is by now."""
    kept = WorkerCopy(slot, path)
    file = kept.read(settings.max_model_bytes)
    if file is None:
        file = read_model(path, settings.max_model_bytes)
        classifier = proved(file, path, settings)
        kept.write(file)
    else:
        classifier = proved(file, kept.path or path, settings)
    return served(name, classifier, settings, slot, metrics)


def proved(file: bytes, path: Path, settings: Settings) -> Classifier:
    """The bytes of a model's file, proved. Raises ModelError."""
    return Classifier.of_bytes(file, path, intra_op_threads=settings.intra_op_threads, pinned=settings.model_sha256)


def served(
    name: str | None, classifier: Classifier, settings: Settings, slot: WorkerSlot, metrics: Metrics
) -> ServedModel:
    """A proved model with all that belongs to it.

    It is served under `name`, or under the one in the file where that is None.

    Raises SettingsError for a default policy that the model is not certified for.
    """
    manifest, version = classifier.manifest, classifier.version
    name = name or manifest.name
    policy = _default_policy(name, manifest, settings)
    _log.info("model %s %s passed its proof; it answers by %s unless asked otherwise", name, version, policy)
    for warning in manifest.warnings:
        _log.warning("model %s: %s", name, warning)
    monitor = Monitor.of(ModelRef(name=name, version=version), manifest, policy, settings, slot)
    audited = settings.feedback_counts == "audited"
    ids = PredictionIds(version, settings.audit_share if audited else 0, monitor.feedback.register)
    observers = [monitor.drift.record, metrics.confidences(name).record]
    predictor = Predictor(name, classifier, reader_for(manifest.input, settings.read_limits), policy, ids, observers)
    return ServedModel(predictor, monitor, Explainer(classifier))


def _default_policy(name: str, manifest: Manifest, settings: Settings) -> Policy:
    asked = settings.default_policy
    try:
        policy = manifest.default_policy if asked is None else resolve(asked, manifest.abstention)
    except InvalidValue as error:
        raise SettingsError(f"{PREFIX}DEFAULT_POLICY, for model {name}: {error}") from None
    if is_infeasible(policy):
        _log.warning(
            "model %s: the default policy could not be certified: requests that name none are never answered", name
        )
    return policy
