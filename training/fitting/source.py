"""The examples of a split as a fit reads them: in memory, or streamed from their file."""

import numpy as np
import torch

from training.data.dataset import Labelled
from training.data.encoders import Encoder
from training.data.encoders.encoder import Encoded
from training.fitting.examples import Examples, Levels, Source
from training.fitting.streaming import StreamedExamples

_CPU = torch.device("cpu")
_MAX_IN_MEMORY = 2**25  # features of a split of a memory map, 128 MB in float32


def examples(
    part: Labelled, encoder: Encoder, device: torch.device = _CPU, dtype: torch.dtype = torch.float32
) -> Source:
    """The examples of a split: in memory, or streamed from the file where that is a large memory map."""
    if isinstance(part.base, np.memmap) and len(part) * encoder.width > _MAX_IN_MEMORY:
        return StreamedExamples(part, encoder, device, dtype)
    labels = torch.from_numpy(part.labels)
    if encoder.full_scale is not None:
        levels = torch.tensor(part.inputs.reshape(len(part), -1))
        return Examples(levels, labels, Levels(encoder.full_scale, dtype)).to(device)
    return Examples(_features(encoder, part, dtype), labels).to(device)


def _features(encoder: Encoder, part: Labelled, dtype: torch.dtype) -> torch.Tensor:
    """`[N, D]`, on the CPU."""
    features = torch.empty(len(part), encoder.width, dtype=dtype)
    start = 0
    for block in Encoded(part, encoder, dtype):
        features[start : start + len(block)] = block
        start += len(block)
    return features
