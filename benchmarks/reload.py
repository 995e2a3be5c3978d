"""`make bench-choices`: the cost of swapping a model in latency and in memory.

Waits are measured as the processor time of the process between two turns of the event loop, so that other processes on
a busy machine do not count.
"""

import asyncio
import gc
import json
import logging
import sys
import tempfile
import threading
import time
from pathlib import Path

import onnx
import uvloop

from service.app import create_app
from service.contract.manifest import METADATA_KEY
from service.inference.explainer import Explainer
from service.inference.manifest_text import MAX_MANIFEST_VALUES
from service.settings import Settings
from training.reporting.hardware import processor

WATCHED, SWAPS, SETTLED = 30, 600, 40


def variant(model: bytes, change: dict[str, object]) -> bytes:
    """The same model with another manifest, and so another version."""
    proto = onnx.load_from_string(model)
    (entry,) = (metadata for metadata in proto.metadata_props if metadata.key == METADATA_KEY)
    entry.value = json.dumps({**json.loads(entry.value), **change})
    content: bytes = proto.SerializeToString()
    return content


async def measured(path: Path, files: list[bytes]) -> float:
    """Publish the files one after the other; return the longest wait of the event loop in milliseconds."""
    app = create_app(Settings(model_path=path, reload_seconds=0))
    gc.freeze()  # as the service does
    longest = 0.0
    async with app.router.lifespan_context(app):
        for file in files:
            _publish(file, path)
            look = threading.Thread(target=app.state.reloader.check_files)
            look.start()
            before = time.process_time()
            while look.is_alive():
                await asyncio.sleep(0)
                now = time.process_time()
                longest, before = max(longest, now - before), now
    return 1000 * longest


async def grown(path: Path, files: list[bytes]) -> tuple[float, float]:
    """MB of resident memory after `SETTLED` swaps and after `SWAPS`, each with a prediction and an explanation."""
    app = create_app(Settings(model_path=path, reload_seconds=0))
    settled = 0.0
    async with app.router.lifespan_context(app):
        for turn in range(1, SWAPS + 1):
            _publish(files[turn % len(files)], path)
            await asyncio.to_thread(app.state.reloader.check_files)
            model = app.state.registry.models.get(None)
            golden = model.manifest.golden.decoded_inputs(model.manifest.input)
            model.predictor.scores(golden)
            explainer: Explainer = model.explainer
            explainer.parts(golden)
            del model, explainer
            if turn == SETTLED:
                settled = _resident()
    return settled, _resident()


def _publish(file: bytes, path: Path) -> None:
    draft = path.with_name("draft")
    draft.write_bytes(file)
    draft.replace(path)


def _resident(which: str = "VmRSS") -> float:
    """MB: the current value, or with `VmHWM` the peak so far."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{which}:"))
    return int(line.split()[1]) / 1024


def main(model: Path) -> None:
    """Print each figure."""
    logging.disable(logging.CRITICAL)
    served = model.read_bytes()
    files = [variant(served, {"git_revision": str(number)}) for number in range(WATCHED)]
    bomb = variant(served, {"labels": [1] * (MAX_MANIFEST_VALUES - 1000)})
    print(processor())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _publish(served, path)
        print(f"longest wait, {WATCHED} swaps: {uvloop.run(measured(path, files)):.1f} ms")
        before = _resident()
        longest = uvloop.run(measured(path, [bomb]))
        more = _resident("VmHWM") - before
        print(f"longest wait, a manifest of {MAX_MANIFEST_VALUES:,} values: {longest:.1f} ms; {more:.0f} MB at most")
        _publish(served, path)
        settled, last = uvloop.run(grown(path, files))
        print(f"resident memory after {SETTLED} swaps {settled:.1f} MB, after {SWAPS} {last:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
