"""The inputs by which the fuzzer reached new code: a file for each target, with an input in base64 on each line.

`python -m tests.fuzz.corpus TARGET FOLDER` rewrites a target's file from a folder of inputs.
"""

import base64
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
_MAX_BYTES = 1024  # of one input; longer ones hardly ever reach new code alone


def kept(name: str) -> list[bytes]:
    """The stored inputs of a target."""
    file = FOLDER / f"{name}.txt"
    return [base64.b64decode(line) for line in file.read_text().splitlines()] if file.exists() else []


def keep(name: str, result: Path) -> None:
    """Write a target's file from a folder of inputs, the shortest first."""
    inputs = {path.read_bytes() for path in result.iterdir()}
    ordered = sorted((data for data in inputs if len(data) <= _MAX_BYTES), key=lambda data: (len(data), data))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text("".join(base64.b64encode(data).decode() + "\n" for data in ordered))


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]))
