"""`make bench-choices`: the cost of counting one request, and of scraping one model and twenty, without HTTP.

Every model gets requests and feedback between two scrapes. If that completes a drift window, the scrape tests it
within its time limit.
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from fastapi.testclient import TestClient

from service.app import create_app
from service.contract.policy import SelectiveRiskPolicy
from service.inference.classifier import Scores
from service.inference.outcome import ModelRef, Outcome
from service.inference.readers.body import RAW
from service.monitoring.metrics.exposition import expose
from service.monitoring.metrics.metrics import Metrics
from service.monitoring.metrics.tallies import Tallies
from service.monitoring.requests.exchange import Exchange
from service.monitoring.worker_slot import ALONE
from service.settings import Settings
from training.reporting.hardware import processor

CALLS, ROUNDS, SCRAPES = 2000, 25, 40
INPUTS = 200  # of each model between two scrapes


def counting() -> float:
    """Microseconds to count a request of one input: the exchange, and its confidence."""
    metrics = Metrics(Tallies(ALONE))
    confidences = metrics.confidences("m")
    scores = Scores(np.array([[0.1, 0.9]], np.float32), np.array([0.9], np.float32), np.array([0.5], np.float32))
    policy = SelectiveRiskPolicy(selective_risk=0.05, confidence_level=0.95, threshold=0.8)
    decided = Outcome(ModelRef(name="m", version="0123456789ab"), policy, {"answer": 1})
    exchange = Exchange("id", None, "POST", "/predict", "/predict", 200, 0.0, 65e-6, decided)

    def count() -> None:
        for _ in range(CALLS):
            confidences.record(scores)
            metrics([exchange])

    return min(_seconds(count) for _ in range(ROUNDS)) / CALLS * 1e6


def scraping(model: Path, models: int) -> tuple[float, float, int]:
    """Milliseconds of one core for a scrape, median and maximum, and its number of lines."""
    with tempfile.TemporaryDirectory() as name:
        names = [f"model-{number}" for number in range(models)]
        for one in names:
            shutil.copy(model, Path(name) / f"{one}.onnx")
        app = create_app(Settings(models=Path(name)))
        with TestClient(app) as client:
            pixels = np.random.default_rng(0).integers(0, 256, INPUTS * 28 * 28).astype(np.uint8).tobytes()
            taken = []
            for _ in range(SCRAPES):
                for one in names:
                    answer = client.post(f"/models/{one}/predict", content=pixels, headers={"content-type": RAW})
                    feedback = {"id": answer.json()["predictions"][0]["id"], "label": "Coat"}
                    client.post(f"/models/{one}/feedback", json=feedback)
                taken.append(_seconds(lambda: expose(app.state.scrape, "")) * 1e3)
            lines = expose(app.state.scrape, "")[0].count(b"\n")
    return statistics.median(taken), max(taken), lines


def _seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this thread."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def main() -> None:
    """Measure and print."""
    print(f"metrics; {processor()}, one core")
    print(f"  to count a request   {counting():6.2f} us")
    for models in (1, 20):
        median, most, lines = scraping(Path(sys.argv[1]), models)
        print(f"  to scrape {models:2} models  {median:6.1f} ms, at most {most:.1f}: {lines} lines")


if __name__ == "__main__":
    main()
