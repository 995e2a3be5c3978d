"""How far the fit is, while it runs."""

import sys
from typing import TextIO

from tqdm import tqdm

from training.fitting.fit import Epoch


class Progress:
    """A bar over the epochs with the latest loss and accuracy; on a stream that is no terminal, a line an epoch."""

    def __init__(self, epochs: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar = tqdm(total=epochs, unit="epoch", file=self._stream, disable=not self._stream.isatty())

    def __call__(self, epoch: Epoch) -> None:
        text = (
            f"train loss {epoch.train.loss:.4f} accuracy {epoch.train.accuracy:.4f}, "
            f"tune loss {epoch.tune.loss:.4f} accuracy {epoch.tune.accuracy:.4f}"
        )
        if self._bar.disable:
            self._stream.write(f"epoch {epoch.number}/{self._bar.total}: {text}\n")
        else:
            self._bar.set_postfix_str(text)
            self._bar.update(epoch.number - self._bar.n)  # more than 1 at once after a checkpoint

    def close(self) -> None:
        """Leave the last state of the bar on the screen."""
        self._bar.close()
