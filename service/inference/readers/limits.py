"""The limits on one request."""

import asyncio
from dataclasses import dataclass

from service.contract.errors import TooLarge

# Decoding these takes 0.2 to 3 ms, by format. A few KB may hold millions.
MAX_LOOP_PIXELS = 100_000


class NeedsThread(Exception):
    """Reading the request would delay all others: it must be read in a thread, and not on the event loop."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """The limits on the inputs of one request."""

    max_batch_size: int  # inputs
    max_image_pixels: int  # of one picture file, before it is decoded
    max_request_pixels: int  # of all picture files of a request


class PixelCount:
    """Counts the pixels of picture files before they are decoded: a file of a few KB may take a second."""

    def __init__(self, max_image_pixels: int, max_request_pixels: int | None) -> None:
        """`max_request_pixels` limits all pictures together; with None only each is limited."""
        self.max_image_pixels = max_image_pixels
        self._max_request_pixels = max_request_pixels
        self._counted = 0

    def add(self, field: str, width: int, height: int) -> None:
        """Count a picture. Raises TooLarge, with `field` as its name, and on an event loop NeedsThread.

        >>> count = PixelCount(max_image_pixels=9, max_request_pixels=10)
        >>> count.add("inputs[0]", 3, 3)
        >>> count.add("inputs[1]", 2, 1)
        Traceback (most recent call last):
        service.contract.errors.TooLarge: inputs[1] is an image of 2x1 pixels, which makes 11 in this request: ...
        """
        pixels = width * height
        if pixels > self.max_image_pixels:
            raise TooLarge(
                f"{field} is an image of {width}x{height} pixels: at most {self.max_image_pixels} are allowed"
            )
        self._counted += pixels
        if self._max_request_pixels is not None and self._counted > self._max_request_pixels:
            raise TooLarge(
                f"{field} is an image of {width}x{height} pixels, which makes {self._counted} in this request: at most "
                f"{self._max_request_pixels} are allowed in all images of one; send fewer or smaller ones"
            )
        if self._counted > MAX_LOOP_PIXELS and _is_on_loop():
            raise NeedsThread


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
