"""Examples in a file: each one once per epoch, in a new order each time, and the same model as from memory."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from service.contract.inputs import FeaturesInput
from tests.server import ROOT
from tests.training.fitting.lifts import lift_on
from training.data.dataset import Labelled
from training.data.encoders import FeatureEncoder
from training.fitting.examples import Examples
from training.fitting.fit import evaluate, fit
from training.fitting.recipes import TUNED
from training.fitting.streaming import CHUNK, StreamedExamples, shuffled_groups, shuffled_minibatches, will_need

N, D = 3 * CHUNK + 137, 3
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    """Half of the rows of a memory map, in random order; the label is the position of the largest number."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("streaming") / "rows.npy"
    np.save(path, rng.normal(size=(2 * N, D)).astype(np.float32))
    rows = np.load(path, mmap_mode="r")
    drawn = rng.permutation(2 * N)[:N]
    return Labelled("by hand", rows, np.asarray(rows).argmax(axis=1)).take(drawn)


def _streamed(part: Labelled) -> StreamedExamples:
    return StreamedExamples(part, FeatureEncoder(FeaturesInput(width=D), np.zeros(D), np.ones(D)), CPU)


def _read(source: StreamedExamples, seed: int, size: int = 100) -> list[Examples]:
    return list(source.minibatches(size, torch.Generator().manual_seed(seed)))


def test_epoch_holds_each_example_once_with_its_label(part: Labelled) -> None:
    batches = _read(_streamed(part), 0)
    assert [len(batch) for batch in batches] == [100] * (N // 100) + [N % 100]
    features = torch.cat([batch.features for batch in batches]).numpy()
    labels = torch.cat([batch.labels for batch in batches]).numpy()
    np.testing.assert_array_equal(features.argmax(axis=1), labels)
    np.testing.assert_array_equal(np.sort(features, axis=0), np.sort(part.inputs, axis=0))


def test_generator_decides_the_order(part: Labelled) -> None:
    source = _streamed(part)
    first, again, other = (torch.cat([batch.features for batch in _read(source, seed)]) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_minibatch_mixes_rows_from_several_places(part: Labelled) -> None:
    places = {tuple(row): place for place, row in enumerate(np.asarray(part.base).tolist())}
    batch = _read(_streamed(part), 0)[0]
    chunks = {places[tuple(row)] // (2 * CHUNK) for row in batch.features.tolist()}
    assert len(chunks) > 1


def test_rows_of_a_minibatch_are_in_file_order(part: Labelled) -> None:
    places = {tuple(row): place for place, row in enumerate(np.asarray(part.base).tolist())}
    for batch in _read(_streamed(part), 0):
        rows = [places[tuple(row)] for row in batch.features.tolist()]
        assert rows == sorted(rows)


def test_blocks_hold_the_examples_in_file_order(part: Labelled) -> None:
    blocks = list(_streamed(part).blocks())
    assert part.rows is not None
    order = np.argsort(part.rows)
    np.testing.assert_array_equal(torch.cat([block.features for block in blocks]).numpy(), part.inputs[order])
    np.testing.assert_array_equal(torch.cat([block.labels for block in blocks]).numpy(), part.labels[order])


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int8, np.uint8, np.uint16, np.uint32, np.int64, np.bool_])
def test_numbers_of_any_type_are_read_as_float32(tmp_path: Path, dtype: type) -> None:
    rows: np.ndarray = (np.random.default_rng(0).random((50, D)) * 99).astype(dtype)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    (block,) = _streamed(Labelled("by hand", mapped, np.arange(50) % 3 + 300, are_numbers=True)).blocks()
    np.testing.assert_array_equal(block.features.numpy(), rows.astype(np.float32))
    np.testing.assert_array_equal(block.labels.numpy(), np.arange(50) % 3 + 300)


@pytest.mark.parametrize("components", [0, D])
def test_fit_from_the_file_is_as_good_as_from_memory(part: Labelled, components: int) -> None:
    source = _streamed(part)
    memory = Examples(torch.from_numpy(part.inputs.copy()), torch.from_numpy(part.labels))
    lift = lift_on(memory.features, components) if components else None
    settings = dataclasses.replace(TUNED, epochs=3)
    losses = []
    for train in (source, memory):
        fitted = fit(train, memory, 3, settings, torch.Generator().manual_seed(0), lift=lift)
        losses.append(evaluate(fitted.model, memory).loss)
        assert evaluate(fitted.model, source).loss == pytest.approx(losses[-1], rel=1e-5)
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def _drawn(count: int, size: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return list(shuffled_minibatches(shuffled_groups(count, generator), size, generator))


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, 16 * CHUNK, 40 * CHUNK + 17])
@pytest.mark.parametrize("size", [1000, 1024, 20 * CHUNK])
def test_each_place_comes_once_in_sorted_minibatches(count: int, size: int) -> None:
    batches = _drawn(count, size)
    assert [len(batch) for batch in batches] == [size] * (count // size) + ([count % size] if count % size else [])
    assert torch.equal(torch.cat(batches).sort().values, torch.arange(count))
    assert all((batch.diff() > 0).all() for batch in batches)


def test_seed_decides_the_places() -> None:
    first, again, other = (_drawn(10_000, 100, seed) for seed in (1, 1, 2))
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))


def test_minibatch_is_a_draw_from_its_group() -> None:
    """Each of 16 chunks in a group gives a minibatch about the same number: 64 of 1,024, give or take 30."""
    for batch in _drawn(16 * CHUNK, 1024):
        counts = torch.bincount(batch // CHUNK, minlength=16)
        assert int((counts - 64).abs().max()) < 45


@pytest.mark.parametrize("row", [0, 1, 4998, 4999])
def test_any_row_of_the_map_can_be_read(tmp_path: Path, row: int) -> None:
    rows = np.random.default_rng(0).normal(size=(5000, 7))
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    will_need(mapped, row, row)
    will_need(mapped, row, 4999)
    will_need(mapped[row:], 0, 4999 - row)
    np.testing.assert_array_equal(mapped, rows)


def test_rows_in_memory_need_no_advice() -> None:
    rows = np.zeros((10, 2))
    will_need(rows, 0, 9)
    assert not rows.any()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """3 GB of rows in a sparse file, and a process that may grow by at most 300 MB."""
    script = """
import resource, sys
import numpy as np, torch
from service.contract.inputs import FeaturesInput
from training.data.dataset import Labelled
from training.data.encoders import FeatureEncoder
from training.fitting.streaming import StreamedExamples

def anonymous():  # the page cache apart
    status = open("/proc/self/status").read()
    return int(status.partition("RssAnon:")[2].split()[0]) // 1024

rows = np.memmap(sys.argv[1], dtype=np.float32, mode="r", shape=(1_500_000, 512))
labels = np.zeros(len(rows), dtype=np.int64)
part = Labelled("a hole", rows, labels).take(np.random.default_rng(0).permutation(len(rows)))
before = anonymous()
encoder = FeatureEncoder(FeaturesInput(width=512), np.zeros(512), np.ones(512))
source = StreamedExamples(part, encoder, torch.device("cpu"))
most = 0
for number, batch in enumerate(source.minibatches(1024, torch.Generator().manual_seed(0))):
    most = max(most, anonymous() - before)
    if number == 200:
        break
print(most)
"""
    path = tmp_path / "hole"
    with path.open("wb") as stream:
        stream.truncate(1_500_000 * 512 * 4)
    process = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(process.stdout) < 300
