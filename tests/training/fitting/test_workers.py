"""Processes that share a fit: their shares, their communication, and the same weights as a single process."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from service.contract.inputs import FeaturesInput
from tests.together import together
from tests.training.fitting.lifts import lift_on
from training.data.dataset import Labelled
from training.data.encoders import FeatureEncoder
from training.errors import WorkersError
from training.fitting.examples import Examples, Source
from training.fitting.fit import Fit, evaluate, fit
from training.fitting.lift import QuadraticLift
from training.fitting.recipes import TUNED, FitSettings
from training.fitting.regression import SoftmaxRegression
from training.fitting.shifted import Shifted
from training.fitting.streaming import CHUNK, StreamedExamples
from training.fitting.workers import ALONE, Workers

SETTINGS = dataclasses.replace(TUNED, epochs=3, batch_size=64, clip_norm=0.5, weight_decay=1e-3)
CPU = torch.device("cpu")


def _examples(count: int) -> Examples:
    features = torch.randn(count, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Examples(features, features[:, :3].argmax(dim=1))


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """Most rows of a memory map of more than one chunk."""
    path = tmp_path_factory.mktemp("workers") / "rows.npy"
    rng = np.random.default_rng(0)
    np.save(path, rng.normal(size=(CHUNK + 300, 4)).astype(np.float32))
    rows = np.load(path, mmap_mode="r")
    return Labelled("by hand", rows, np.asarray(rows)[:, :3].argmax(axis=1)).take(rng.permutation(CHUNK + 171))


@pytest.fixture(scope="module")
def streamed(part: Labelled) -> StreamedExamples:
    """The same examples in float64, streamed as in a fit."""
    return StreamedExamples(part, FeatureEncoder(FeaturesInput(width=4), np.zeros(4), np.ones(4)), CPU, torch.float64)


LIFT = lift_on(_examples(500).features, 3)


def _fit(train: Source, workers: Workers, settings: FitSettings = SETTINGS, lift: QuadraticLift | None = None) -> Fit:
    return fit(train, _examples(101), 3, settings, torch.Generator().manual_seed(0), workers=workers, lift=lift)


def _assert_as_alone(
    train: Source, size: int, settings: FitSettings = SETTINGS, lift: QuadraticLift | None = None
) -> None:
    alone = _fit(train, ALONE, settings, lift)
    shared = together(lambda workers: _fit(train, workers, settings, lift), size)
    for fitted in shared:
        for tensor, expected in zip(fitted.model.tensors, alone.model.tensors, strict=True):
            torch.testing.assert_close(tensor, expected, rtol=1e-9, atol=1e-12)
        assert all(map(torch.equal, fitted.model.tensors, shared[0].model.tensors))  # bit for bit, in all processes
        assert fitted.history == shared[0].history
        assert fitted.best_epoch == alone.best_epoch
        for mine, other in zip(fitted.history, alone.history, strict=True):
            assert mine.train.accuracy == other.train.accuracy
            assert mine.tune.accuracy == other.tune.accuracy
            assert mine.train.loss == pytest.approx(other.train.loss, rel=1e-12)
            assert mine.tune.loss == pytest.approx(other.tune.loss, rel=1e-12)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("lift", [None, LIFT], ids=["plain", "lifted"])
def test_fit_in_memory_equals_that_of_one_process(size: int, lift: QuadraticLift | None) -> None:
    _assert_as_alone(_examples(500), size, lift=lift)


@pytest.mark.parametrize("lift", [None, LIFT], ids=["plain", "lifted"])
def test_fit_from_a_file_equals_that_of_one_process(streamed: StreamedExamples, lift: QuadraticLift | None) -> None:
    _assert_as_alone(streamed, 2, lift=lift)


@pytest.mark.parametrize("train", [_examples(65), Shifted(_examples(65), (2, 2, 1))], ids=["as they are", "moved"])
@pytest.mark.parametrize("lift", [None, LIFT], ids=["plain", "lifted"])
def test_process_without_an_example_in_the_last_minibatch(train: Source, lift: QuadraticLift | None) -> None:
    _assert_as_alone(train, 3, dataclasses.replace(SETTINGS, batch_size=32), lift)


def test_process_reads_its_own_share_of_the_file(part: Labelled, streamed: StreamedExamples) -> None:
    """The parts of a minibatch are disjoint and follow one another in the file."""
    places = {tuple(row): place for place, row in enumerate(np.asarray(part.base).tolist())}
    shares = [
        [
            [places[tuple(row)] for row in batch.features.tolist()]
            for batch in streamed.minibatches(100, torch.Generator().manual_seed(0), Workers(rank, 2))
        ]
        for rank in (0, 1)
    ]
    for first, second in zip(*shares, strict=True):
        assert abs(len(first) - len(second)) <= 1
        assert first + second == sorted(first + second)
    assert sorted(place for share in shares for batch in share for place in batch) == sorted(places.values())[:-129]


def test_evaluation_is_shared() -> None:
    model = SoftmaxRegression(torch.eye(4, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))
    examples = _examples(7)
    qualities = together(lambda workers: evaluate(model, examples, workers), 3)
    assert qualities[0] == qualities[1] == qualities[2]
    assert qualities[0].accuracy == evaluate(model, examples).accuracy == 1
    assert qualities[0].loss == pytest.approx(evaluate(model, examples).loss, rel=1e-12)


def test_shares_make_up_the_whole() -> None:
    for count in range(8):
        for size in range(1, 5):
            shares = [list(range(count))[Workers(rank, size).share(count)] for rank in range(size)]
            assert [one for share in shares for one in share] == list(range(count))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_sum_is_in_place_over_all() -> None:
    def run(workers: Workers) -> list[list[float]]:
        one, two = torch.full((2, 2), float(workers.rank)), torch.tensor([1.0])
        workers.sum(one, two)
        return [one.flatten().tolist(), two.tolist()]

    assert together(run, 3) == [[[3.0] * 4, [3.0]]] * 3


def test_broadcast_reaches_all_processes() -> None:
    received = together(lambda workers: workers.broadcast(lambda: {"by": workers.rank, "mean": np.arange(3.0)}), 3)
    assert [each["by"] for each in received] == [0, 0, 0]
    np.testing.assert_array_equal(received[2]["mean"], [0, 1, 2])


def test_differing_data_are_found_and_named() -> None:
    def run(workers: Workers) -> str:
        try:
            workers.require_same({"seed": 0, "data fingerprint": "abc" if workers.rank < 2 else "abd"})
        except WorkersError as error:
            return str(error)
        return ""

    line = "process 2 of 3 has data fingerprint abd, and process 0 has abc: all need the same data and the same options"
    assert together(run, 3) == ["", "", line]


def test_lost_process_is_reported_in_one_line() -> None:
    def run(workers: Workers) -> str:
        if not workers.leads:
            return ""  # this closes its end of the connection
        with pytest.raises(WorkersError) as stopped:
            workers.wait()
        return str(stopped.value)

    message = together(run)[0]
    assert message.startswith("process 0 of 2 lost the connection to the others: ")
    assert "\n" not in message


def test_only_the_first_process_reads_a_broadcast_file(tmp_path: Path) -> None:
    """Only one process reads files: another machine may not have them."""
    (tmp_path / "0").write_text("there")
    contents = together(lambda workers: workers.broadcast(lambda: (tmp_path / str(workers.rank)).read_text()))
    assert contents == ["there", "there"]
