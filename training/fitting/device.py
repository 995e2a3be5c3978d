"""Where a fit computes."""

from typing import Literal

import torch

from training.errors import TrainingError
from training.fitting.workers import ALONE, Workers

Device = Literal["auto", "cpu", "cuda"]

_CPU = torch.device("cpu")


def find_device(asked: Device, workers: Workers = ALONE) -> torch.device:
    """Where to compute. Raises TrainingError where there is no such device."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise TrainingError("--device cuda: torch finds no CUDA device on this machine")
    return torch.device("cuda", workers.local_rank) if asked != "cpu" and torch.cuda.is_available() else _CPU
