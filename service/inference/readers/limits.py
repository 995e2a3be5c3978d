"""The limits on one request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """The limits on the inputs of one request."""

    max_batch_size: int  # inputs
    max_image_pixels: int  # of one picture file, before it is decoded
