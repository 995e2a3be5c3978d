"""Write scikit-learn's handwritten digits as pictures: `python docs/examples/digits.py [FOLDER]`.

1,797 grey pictures of 8 x 8, a folder for each digit: `FOLDER/3/0045.png` is the data set's example 45, a three.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

_DARKEST = 16  # the data count inked points: 0 to 16 in each of the 64 fields


def write(folder: Path) -> None:
    """Write a PNG for each digit, ink light on black."""
    data = load_digits()
    levels = np.rint(data.images * (255 / _DARKEST)).astype(np.uint8)
    for index, (level, digit) in enumerate(zip(levels, data.target.tolist(), strict=True)):
        path = folder / str(digit) / f"{index:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(level).save(path)


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "build/digits"))
