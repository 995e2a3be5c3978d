"""The models of one service, by name: which there are, which is the default, and which files may not serve."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

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
    """One proved model, and all that the service knows of its work."""

    predictor: Predictor
    monitor: Monitor
    explainer: Explainer

    @property
    def ref(self) -> ModelRef:
        """Its name and version, as every answer states them."""
        return self.predictor.model_ref

    @property
    def manifest(self) -> Manifest:
        """What its file says of itself."""
        return self.predictor.classifier.manifest

    @property
    def sha256(self) -> str:
        """Of its file, in hex digits."""
        return self.predictor.classifier.sha256

    @property
    def reader(self) -> Reader:
        """How its inputs are read."""
        return self.predictor.reader


@dataclass(frozen=True, slots=True)
class Models:
    """The models by name. A name of `None` is a file that may not serve."""

    by_name: Mapping[str, ServedModel | None]
    default_name: str | None

    def get(self, name: str | None) -> ServedModel:
        """The model of a name; None asks for the default. Raises UnknownModel or ModelNotReady."""
        if name is None and (name := self.default_name) is None:
            several = ", ".join(self.by_name)
            raise UnknownModel(f"none of the models is the default one: name one as in /models/NAME/predict: {several}")
        if name not in self.by_name:
            raise UnknownModel(f"model {truncated(name)} does not exist: there are {', '.join(self.by_name)}")
        model = self.by_name[name]
        if model is None:
            raise ModelNotReady(f"model {name} did not pass its proof: the log says why")
        return model

    def predictors(self) -> dict[bytes, Predictor]:
        """Those of all that may serve, by the paths that they answer on."""
        served = {name: model for name, model in self.by_name.items() if model is not None}
        found = {f"/models/{quote(name)}/predict".encode(): model.predictor for name, model in served.items()}
        if self.default_name is not None:
            found[b"/predict"] = self.get(None).predictor
        return found

    def monitors(self) -> dict[str, Monitor | None]:
        """Their monitors, by name; None for a file that may not serve."""
        return {name: None if model is None else model.monitor for name, model in self.by_name.items()}

    def ready(self) -> list[ServedModel]:
        """All that may serve."""
        return [model for model in self.by_name.values() if model is not None]

    def with_model(self, name: str, model: ServedModel | None) -> "Models":
        """The same with another model of this name, or one more; the default one stays the default one."""
        by_name = {**self.by_name, name: model}
        return Models({name: by_name[name] for name in sorted(by_name, key=_file_name)}, self.default_name)

    def without(self, name: str) -> "Models":
        """The same without the model of this name."""
        return Models({other: model for other, model in self.by_name.items() if other != name}, self.default_name)


def _file_name(name: str) -> str:
    return f"{name}.onnx"
