"""The models of one service, by name: which exist, which is the default, and which may not be served."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.contract.errors import ModelNotReady, UnknownModel
from service.contract.manifest import Manifest
from service.contract.validation import truncated
from service.inference.explainer import Explainer
from service.inference.outcome import ModelRef
from service.inference.predictor import Predictor
from service.inference.readers.reader import Reader
from service.monitoring.monitor import Monitor


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One proved model with its predictor, monitor and explainer."""

    predictor: Predictor
    monitor: Monitor
    explainer: Explainer

    @property
    def ref(self) -> ModelRef:
        """Its name and version, as in every answer."""
        return self.predictor.model_ref

    @property
    def manifest(self) -> Manifest:
        """The manifest in its file."""
        return self.predictor.classifier.manifest

    @property
    def sha256(self) -> str:
        """The SHA-256 of its file, in hex digits."""
        return self.predictor.classifier.sha256

    @property
    def reader(self) -> Reader:
        """The reader of its inputs."""
        return self.predictor.reader


@dataclass(frozen=True, slots=True)
class Models:
    """The models by name. None stands for a model whose file did not pass its proof."""

    by_name: Mapping[str, ServedModel | None]
    default_name: str | None

    def get(self, name: str | None) -> ServedModel:
        """The model with this name; None means the default. Raises UnknownModel or ModelNotReady."""
        if name is None and (name := self.default_name) is None:
            names = ", ".join(self.by_name)
            raise UnknownModel(f"there is no default model: name one in the path, as /models/NAME/predict: {names}")
        if name not in self.by_name:
            raise UnknownModel(f"model {truncated(name)} does not exist: there are {', '.join(self.by_name)}")
        model = self.by_name[name]
        if model is None:
            raise ModelNotReady(f"model {name} did not pass its proof: the log says why")
        return model

    def monitors(self) -> dict[str, Monitor | None]:
        """The monitors by model name; None for a model that is not ready."""
        return {name: None if model is None else model.monitor for name, model in self.by_name.items()}

    def ready(self) -> list[ServedModel]:
        """The models that are ready."""
        return [model for model in self.by_name.values() if model is not None]

    def with_model(self, name: str, model: ServedModel | None) -> "Models":
        """A copy with this model added or replaced. The default stays the same."""
        by_name = {**self.by_name, name: model}
        return Models({name: by_name[name] for name in sorted(by_name, key=_file_name)}, self.default_name)

    def without(self, name: str) -> "Models":
        """A copy without the model of this name."""
        return Models({other: model for other, model in self.by_name.items() if other != name}, self.default_name)


def _file_name(name: str) -> str:
    return f"{name}.onnx"
