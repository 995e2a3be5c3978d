"""The complete job with the recipe auto: what is published, from data of both sizes and of every kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.inference.classifier import Classifier
from training.data.opening import load
from training.data.options import DataOptions
from training.data.pool import Pool
from training.errors import TrainingError
from training.fitting.fit import Epoch
from training.fitting.fit_splits import Listener
from training.fitting.recipes import TUNED, FitSettings, Given
from training.job import Job, JobResult, run

FEW, MANY = 400, 12_000  # tune has 40 and 1,200


def _two_clouds(count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Classes by the sign of a product, so that no line separates them, and 5 % wrong labels."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(count, 5)).astype(np.float32)
    wrong = rng.random(count) < 0.05
    return features, (features[:, 0] * features[:, 1] > 0) ^ wrong


def _pictures(count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """A bright spot at a random place in the left or the right half, over noise."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 40, (count, 8, 8), dtype=np.uint8)
    columns = rng.integers(0, 8, count)
    pictures[np.arange(count), rng.integers(0, 8, count), columns] = 255
    return pictures, columns // 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pool]:
    pools = {}
    for name, (inputs, labels) in {
        "few": _two_clouds(FEW),
        "many": _two_clouds(MANY),
        "few pictures": _pictures(FEW),
        "many pictures": _pictures(MANY),
    }.items():
        path = tmp_path_factory.mktemp("auto") / "made.npz"
        kind = "images" if inputs.dtype == np.uint8 else "features"
        np.savez(path, allow_pickle=False, **{kind: inputs, "labels": labels.astype(np.int64)})
        pool = load(DataOptions(path), None, lambda _: None)
        assert isinstance(pool, Pool)
        pools[name] = pool
    return pools


def _run(
    data: Pool,
    out: Path,
    given: Given | None = None,
    settings: FitSettings = TUNED,
    checkpoint: Path | None = None,
    listener: Listener | None = None,
) -> JobResult:
    job = Job("auto", settings, 0, "cpu", out, checkpoint=checkpoint, given=given or Given())
    return run(job, data, listener)


@pytest.mark.parametrize(("name", "method", "rows"), [("few", "cross-validation", 240), ("many", "tune", 1200)])
def test_manifest_tells_the_choice_and_the_same_training_gives_the_same_bytes(
    made: dict[str, Pool], tmp_path: Path, name: str, method: str, rows: int
) -> None:
    files = [tmp_path / "one.onnx", tmp_path / "two.onnx"]
    results = [_run(made[name], file) for file in files]
    assert files[0].read_bytes() == files[1].read_bytes()
    training = results[0].manifest.training
    selection = training.selection
    assert selection is not None
    assert (training.recipe, selection.method, selection.rows) == ("auto", method, rows)
    chosen = selection.tried[selection.chosen]
    assert chosen.lift == training.lift == 5  # the products are needed
    assert (chosen.augment, chosen.standard_error) == ("none", None)
    assert chosen.weight_decay == pytest.approx(training.weight_decay, rel=0.01)
    assert all(tried.standard_error is not None for tried in selection.tried if tried is not chosen)
    assert min(tried.loss or 9 for tried in selection.tried) == chosen.loss
    assert results[0].manifest.metrics.accuracy > 0.8


@pytest.mark.parametrize("name", ["few", "many"])
@pytest.mark.parametrize(
    "given",
    [Given(weight_decay=0.0123), Given(lift=0), Given(lift=3), Given(weight_decay=0.0), Given(augment="none")],
    ids=str,
)
def test_given_settings_are_published_as_given(made: dict[str, Pool], tmp_path: Path, name: str, given: Given) -> None:
    manifest = _run(made[name], tmp_path / "model.onnx", given).manifest
    training = manifest.training
    assert given.weight_decay in (None, training.weight_decay)
    assert given.lift in (None, training.lift)
    assert given.augment in (None, training.augment)
    assert (0 if manifest.lift is None else manifest.lift.components) == training.lift


@pytest.mark.parametrize("name", ["few", "many"])
def test_float64_is_kept(made: dict[str, Pool], tmp_path: Path, name: str) -> None:
    settings = FitSettings(**{**_as_dict(TUNED), "precision": "float64"})
    wide = _run(made[name], tmp_path / "wide.onnx", settings=settings)
    narrow = _run(made[name], tmp_path / "narrow.onnx")
    assert wide.fit.model.weights.element_size() == 8
    assert wide.manifest.training.precision == "float64"
    assert wide.manifest.training.lift == narrow.manifest.training.lift
    assert wide.manifest.metrics.nll == pytest.approx(narrow.manifest.metrics.nll, abs=0.01)


def _as_dict(settings: FitSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in FitSettings.__dataclass_fields__}


@pytest.mark.parametrize("name", ["few pictures", "many pictures"])
@pytest.mark.parametrize("augment", ["none", "shift"])
def test_pictures_are_fitted_with_and_without_moved_copies(
    made: dict[str, Pool], tmp_path: Path, name: str, augment: Any
) -> None:
    manifest = _run(made[name], tmp_path / "model.onnx", Given(lift=0, augment=augment)).manifest
    assert manifest.training.augment == augment
    assert manifest.metrics.accuracy > (0.6 if name == "few pictures" else 0.9)
    assert Classifier.load(tmp_path / "model.onnx").manifest == manifest


def test_moved_copies_of_anything_but_pictures_are_refused(made: dict[str, Pool], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--augment shift moves pictures"):
        _run(made["few"], tmp_path / "model.onnx", Given(augment="shift"))


@pytest.mark.parametrize("name", ["few", "many"])
def test_checkpoint_changes_nothing_and_continues_an_interrupted_fit(
    made: dict[str, Pool], tmp_path: Path, name: str
) -> None:
    out, checkpoint = tmp_path / "model.onnx", tmp_path / "fit.checkpoint"
    _run(made[name], out)
    expected = out.read_bytes()

    def interrupt(epoch: Epoch) -> None:
        if epoch.number == 3 and (checkpoint.exists() or name == "few"):  # L-BFGS starts again, in no time
            raise InterruptedError

    with pytest.raises(InterruptedError):
        _run(made[name], out, checkpoint=checkpoint, listener=Listener(on_epoch=interrupt))
    assert checkpoint.exists() == (name == "many")
    _run(made[name], out, checkpoint=checkpoint)
    assert out.read_bytes() == expected
