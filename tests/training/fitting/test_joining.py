"""Joining the other processes: the variables of torchrun, and names that no earlier start has used."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.distributed as dist

from training.errors import TrainingError, WorkersError
from training.fitting.joining import joined, start_token
from training.fitting.workers import ALONE


def test_single_process_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined("cpu") as workers:
        assert workers == ALONE
        assert not torch.distributed.is_initialized()
        tensor = torch.ones(2)
        workers.sum(tensor)
        workers.wait()
        workers.require_same({"seed": 0})
        assert tensor.tolist() == [1, 1]
        assert workers.broadcast(lambda: 3) == 3
        assert workers.share(7) == slice(0, 7)


def _started(monkeypatch: pytest.MonkeyPatch, rank: str, size: str, **others: str) -> None:
    for name, value in {"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": "0", **others}.items():
        monkeypatch.setenv(name, value)


def test_torchrun_with_one_process_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _started(monkeypatch, "0", "1")
    with joined("cpu") as workers:
        assert workers == ALONE


@pytest.mark.parametrize(
    ("rank", "size", "message"),
    [
        ("2", "2", "RANK=2 must be from 0 to under WORLD_SIZE=2"),
        ("x", "2", "RANK='x': torchrun sets it to a whole number; start the processes with torchrun"),
        ("0", "", "WORLD_SIZE='': torchrun sets it to a whole number; start the processes with torchrun"),
    ],
)
def test_unusable_variable_is_named(monkeypatch: pytest.MonkeyPatch, rank: str, size: str, message: str) -> None:
    _started(monkeypatch, rank, size)
    with pytest.raises(TrainingError) as stopped, joined("cpu"):
        pass
    assert str(stopped.value) == message


def test_unreachable_processes_are_reported_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    _started(monkeypatch, "1", "2")
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(WorkersError, match=r"^process 1 of 2 cannot join the others: .*MASTER_ADDR"), joined("cpu"):
        pass


def test_agreed_name_is_new_despite_leftovers() -> None:
    store = dist.HashStore()  # type: ignore[attr-defined]
    store.queue_push("start", "asks somebody-dead")
    store.queue_push("start", "heard something-old")
    starts = []
    with ThreadPoolExecutor(3) as threads:
        for _ in range(3):
            names = list(threads.map(lambda rank: start_token(store, rank, 3), range(3)))
            assert len(set(names)) == 1
            starts.append(names[0])
            store.queue_push("start", "asks another-dead")
    assert len(set(starts)) == 3
