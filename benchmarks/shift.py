"""`make shift`: the promises under a calibration split from another population.

The target population is the official test images. Calibrated on draws from it, the certificates keep their promises.
Calibrated on held-out training images, which the model finds easier, they do not, and the method cannot detect it. In
each trial, 5,000 draws with replacement from the held-out training images are one calibration split, and the images
that were not drawn fix gate and sequence; 5,000 draws from the test images are the other split.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.stats import ks_2samp

from benchmarks.population import CALIBRATION_SIZE, CONFIDENCE_LEVEL, RESAMPLES, RISKS, HeldOut, Population
from service.inference.prediction_sets import members
from training.certification.conformal import lac
from training.certification.gate import gate_threshold
from training.certification.scored import Scored
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate
from training.reporting import hardware

SEED = 1
SET_COVERAGES = (0.9, 0.95, 0.99)
TRAINING, TEST = "held-out training images", "official test images"
OUT = Path("build/shift.json")


@dataclass(frozen=True, slots=True)
class Kept:
    """The results on the test images of promises made on one source of calibration splits."""

    source: str
    violations: dict[float, float]  # for each target: share of the trials where the true risk is over it
    coverage: dict[float, float]  # for each target: mean share answered
    set_coverage: dict[float, float]  # for each set coverage: mean share of the sets that hold the true class


@dataclass(frozen=True, slots=True)
class Trial:
    """Populations that share one gate."""

    fixing: Population  # held-out training images, none of them in a calibration split
    calibration: dict[str, Population]  # a split of each source
    target: Population  # all official test images


def trials(held_out: HeldOut, repeats: int) -> Iterator[Trial]:
    """Independent trials, the same ones every time."""
    size = len(held_out.tune)
    for repeat in range(repeats):
        generator = np.random.default_rng([SEED, repeat])
        drawn = generator.integers(0, size, CALIBRATION_SIZE)
        left = np.setdiff1d(np.arange(size), drawn)
        gate = gate_threshold(held_out.tune.take(left), 0.01, CONFIDENCE_LEVEL).threshold
        tune, test = Population.behind(gate, held_out.tune), Population.behind(gate, held_out.test)
        others = generator.integers(0, len(test), CALIBRATION_SIZE)
        yield Trial(tune.take(left), {TEST: test.take(others), TRAINING: tune.take(drawn)}, test)


def measure(held_out: HeldOut, repeats: int, risks: Sequence[float], set_coverages: Sequence[float]) -> list[Kept]:
    """Make all promises on both sources and check them on the test images."""
    sources = (TEST, TRAINING)
    answered = {source: np.empty((repeats, len(risks))) for source in sources}
    risk = {source: np.empty((repeats, len(risks))) for source in sources}
    held = {source: np.empty((repeats, len(set_coverages))) for source in sources}
    for number, trial in enumerate(trials(held_out, repeats)):
        sequence = trial.fixing.sequence()
        for source, split in trial.calibration.items():
            thresholds = [split.threshold(sequence, target) for target in risks]
            answered[source][number], risk[source][number] = trial.target.truth(thresholds)
            held[source][number] = [_set_coverage(split.scored, held_out.test, promise) for promise in set_coverages]
    return [
        Kept(
            source,
            dict(zip(risks, (risk[source] > np.array(risks)).mean(axis=0).tolist(), strict=True)),
            dict(zip(risks, answered[source].mean(axis=0).tolist(), strict=True)),
            dict(zip(set_coverages, held[source].mean(axis=0).tolist(), strict=True)),
        )
        for source in sources
    ]


def _set_coverage(calibration: Scored, target: Scored, promised: float) -> float:
    """Share of the target's prediction sets that hold the true class."""
    sets = members(target.scores, lac(calibration, promised), math.inf)
    return float(sets[np.arange(len(target)), target.labels].mean())


def main(model: Path) -> None:
    """Measure both, print and write `build/shift.json`."""
    held_out = HeldOut.of(model, fashion_mnist.load(locate(None) or fetch(lambda line: print(line, file=sys.stderr))))
    kept = measure(held_out, RESAMPLES, RISKS, SET_COVERAGES)
    print(
        f"model {held_out.version}, answering for the official test images; {RESAMPLES} calibration splits of "
        f"{CALIBRATION_SIZE} from each source; {hardware.described()}"
    )
    heads = [f"calibrated on {one.source}" for one in kept]
    print(f"\n| target risk | violations, {' | violations, '.join(heads)} |\n|---|---|---|")
    for risk in RISKS:
        print(f"| {risk:g} | {' | '.join(f'{one.violations[risk]:.3f}' for one in kept)} |")
    print(f"\n| promised set coverage | {' | '.join(heads)} |\n|---|---|---|")
    for promised in SET_COVERAGES:
        print(f"| {promised:g} | {' | '.join(f'{one.set_coverage[promised]:.4f}' for one in kept)} |")
    difference = ks_2samp(held_out.tune.scores.confidence, held_out.test.scores.confidence)
    print(
        f"\nWithout labels: the confidences of {len(held_out.tune)} and {len(held_out.test)} images differ by "
        f"{difference.statistic:.4f} at most (Kolmogorov-Smirnov, p = {difference.pvalue:.2f})"
    )
    document = {
        "model": held_out.version,
        "hardware": hardware.described(),
        "sources": [asdict(one) for one in kept],
        "confidences": {"largest_difference": float(difference.statistic), "p_value": float(difference.pvalue)},
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
