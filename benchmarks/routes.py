"""`make bench-choices`: the service's speed by kind of route, and the body size from which a thread is worth its cost.

One uvicorn on one core, wrk on another. Every variant is the same application with the same work. They differ in the
place where it runs:

    async   in the event loop, in an `async def` route
    def     in a thread, in a `def` route, called by FastAPI
    thread  in a thread, handed over by an `async def` route

The variants alternate within each round. The table gives medians over the rounds, with minimum and maximum. Needs wrk.
"""

import json
import os
import statistics
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import uvicorn
from fastapi import Depends, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from benchmarks.under_test import served
from benchmarks.wrk import CONNECTIONS, rate, two_cores
from service.app import create_app
from service.inference.predictor import Predictor
from service.inference.readers.body import JSON, RAW
from service.settings import Settings
from training.reporting.hardware import processor

ROUNDS = 5
SECONDS = 2
VARIANTS = ("async", "def", "thread")
# (name of the body, its content type, number of images)
BODIES = (("JSON", JSON, 1), ("JSON", JSON, 16), ("JSON", JSON, 64), ("raw", RAW, 1), ("raw", RAW, 256))
OUT = Path("build/routes.json")


def variants_app(model: Path) -> FastAPI:
    """The service's own application with one additional route per variant."""
    app = create_app(Settings(model_path=model))
    predictor: Predictor = app.state.registry.models.get(None).predictor

    def work(body: bytes, request: Request) -> bytes:
        return predictor.answer(predictor.prepare(body, request.headers["content-type"])).body

    async def read(request: Request) -> bytes:
        return await request.body()

    @app.post("/async")
    async def in_loop(request: Request) -> Response:
        return Response(work(await request.body(), request), media_type=JSON)

    @app.post("/def")
    def in_def(request: Request, body: Annotated[bytes, Depends(read)]) -> Response:
        return Response(work(body, request), media_type=JSON)

    @app.post("/thread")
    async def in_thread(request: Request) -> Response:
        return Response(await run_in_threadpool(work, await request.body(), request), media_type=JSON)

    return app


def request_body(kind: str, images: int) -> bytes:
    """A body of this many random images; the time does not depend on their content."""
    pixels = np.random.default_rng(0).integers(0, 256, (images, 784), dtype=np.uint8)
    return pixels.tobytes() if kind == "raw" else json.dumps({"inputs": pixels.tolist()}).encode()


def main(model: Path) -> None:
    """Measure all, print a table and write `build/routes.json`."""
    cores = two_cores()
    bodies = [(kind, content_type, n, request_body(kind, n)) for kind, content_type, n in BODIES]
    rates: dict[tuple[str, int, str], list[float]] = {}
    with served(["-m", "benchmarks.routes", "--serve", str(model)], cores[0]) as server:
        for number in range(ROUNDS + 1):
            for kind, content_type, n, body in bodies:
                for variant in VARIANTS:
                    warm_up = number == 0
                    got = rate(server.address, [f"/{variant}"], body, content_type, cores[1], 1 if warm_up else SECONDS)
                    if not warm_up:
                        rates.setdefault((kind, n, variant), []).append(got)
    machine = f"{processor()}, one core each for server and wrk"
    print(f"requests/s, {CONNECTIONS} connections, median of {ROUNDS} rounds; {machine}\n")
    print("| body | bytes | `async def` | `def` | `async def`, handed to a thread |\n|---|---|---|---|---|")
    for kind, _, n, body in bodies:
        cells = " | ".join(_cell(rates[kind, n, variant]) for variant in VARIANTS)
        print(f"| {n} image{'s' if n > 1 else ''}, {kind} | {len(body)} | {cells} |")
    OUT.parent.mkdir(exist_ok=True)
    rows = [{"body": k, "images": n, "variant": v, "requests_per_second": r} for (k, n, v), r in rates.items()]
    OUT.write_text(json.dumps(rows, indent=2) + "\n")


def _cell(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def _serve(model: str) -> None:
    uvicorn.run(variants_app(Path(model)), port=int(os.environ["DEMUR_PORT"]), log_level="warning", access_log=False)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        _serve(sys.argv[2])
    else:
        main(Path(sys.argv[1]))
