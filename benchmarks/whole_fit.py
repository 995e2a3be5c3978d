"""Time and memory of a complete `fit` of embeddings in a file, in a separate process.

`python -m benchmarks.whole_fit FOLDER [OPTION...]` is that process; `whole_fit` starts it. Seconds and memory count
from the end of the imports. The memory is anonymous (RssAnon): it excludes the pages of the file.
"""

import contextlib
import io
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import training.cli.fit  # noqa: F401  # loaded before the watch begins
from training.__main__ import main as train

_ROOT = Path(__file__).parent.parent
_EVERY = 0.01  # seconds
_STATUS = Path("/proc/self/status")


def whole_fit(folder: Path, *options: str) -> tuple[float, float]:
    """Seconds and peak MB of scan, splits, fit, certificates and proof; MB is NaN without Linux's /proc."""
    command = [sys.executable, "-m", "benchmarks.whole_fit", str(folder), *options]
    ended = subprocess.run(command, cwd=_ROOT, capture_output=True, check=False, text=True)
    if ended.returncode:
        sys.exit(ended.stderr)
    result = json.loads(ended.stdout)
    return result["seconds"], result["megabytes"]


def _anonymous() -> float:
    """MB."""
    if not _STATUS.exists():
        return float("nan")
    return int(_STATUS.read_text().partition("RssAnon:")[2].split()[0]) / 1024


def main() -> None:
    """Fit, and print the two figures as JSON."""
    folder, *options = sys.argv[1:]
    before, most, done = _anonymous(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY):
            most[0] = max(most[0], _anonymous() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    paths = ["--data", f"{folder}/rows.npy", "--labels", f"{folder}/labels.npy", "--out", f"{folder}/model.onnx"]
    with contextlib.redirect_stdout(io.StringIO()):
        status = train(["fit", *paths, "--epochs", "1", *options])
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    if status:
        sys.exit(status)
    print(json.dumps({"seconds": seconds, "megabytes": most[0]}))


if __name__ == "__main__":
    main()
