"""`make abstention`: our rule for the threshold against others, on the same calibration splits; and resubmission.

The population is the file's scores of all official test images. Each calibration split is drawn from it anew, and
each rule's threshold is measured on the entire population: is its true risk over the target, and how much does it
answer? Our sequence is fixed on `tune`. Every rule sees only inputs that pass the gate.

Resubmission: of the inputs that abstain at one certified risk and are answered at the next laxer one, how many get a
wrong label? The promise of the laxer risk covers all its answers, not only those that the stricter one withheld.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import selection_rules
from benchmarks.population import CALIBRATION_SIZE, CONFIDENCE_LEVEL, RESAMPLES, RISKS, HeldOut, Population, resamples
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate
from training.reporting import hardware

SEED = 0
OUT = Path("build/abstention.json")
Rule = Callable[[Population], float | None]  # from a calibration split to a threshold


@dataclass(frozen=True, slots=True)
class Measured:
    """The results of one rule at one target, over all calibration splits."""

    risk: float
    rule: str
    coverage: float  # mean; 0 for a split without a threshold
    violations: float  # share of the splits where the true risk is over the target
    infeasible: float  # share of the splits without a threshold

    def row(self) -> str:
        """One line of the table."""
        return f"| {self.rule} | {self.coverage:.3f} | {self.violations:.3f} | {self.infeasible:.3f} |"


def rules(tune: Population, risk: float) -> dict[str, Rule]:
    """Every rule at one target."""
    sequence, level, fixed = tune.sequence(), CONFIDENCE_LEVEL, tune.inside()
    classes = fixed.scores.probabilities.shape[1]
    holm = selection_rules.Mapie(risk, level, classes)
    learnt = selection_rules.Mapie(risk, level, classes, (fixed.scores.probabilities, fixed.labels))

    def of_confidence(rule: Callable[..., float | None], *also: float) -> Rule:
        return lambda split: rule((s := split.inside()).scores.confidence, s.wrong, risk, *also)

    def of_probabilities(rule: Callable[..., float | None]) -> Rule:
        return lambda split: rule((s := split.inside()).scores.probabilities, s.labels)

    return {
        "ours": lambda split: split.threshold(sequence, risk),
        "SGR": of_confidence(selection_rules.sgr, level),
        "MAPIE": of_probabilities(holm.best),
        "MAPIE, lowest valid threshold": of_probabilities(holm.lowest),
        "MAPIE, order learnt on tune, lowest valid threshold": of_probabilities(learnt.lowest),
        "largest passing": of_confidence(selection_rules.largest_passing, level),
        "naive": of_confidence(selection_rules.naive),
    }


def compare(pool: Population, by_name: dict[str, Rule], risk: float, repeats: int) -> list[Measured]:
    """The rules at one target on the same `repeats` calibration splits; the oracle, which knows the pool, first."""
    inside = pool.inside()
    best = selection_rules.oracle(inside.scores.confidence, inside.wrong, risk)
    thresholds: dict[str, list[float | None]] = {"oracle": [best]}
    for split in resamples(pool, repeats, SEED):
        for name, rule in by_name.items():
            thresholds.setdefault(name, []).append(rule(split))
    measured = []
    for name, candidates in thresholds.items():
        coverage, true_risk = pool.truth(candidates)
        infeasible = candidates.count(None) / len(candidates)
        measured.append(Measured(risk, name, float(coverage.mean()), float((true_risk > risk).mean()), infeasible))
    return measured


@dataclass(frozen=True, slots=True)
class Resubmission:
    """The inputs that abstain at one risk and are answered at the next laxer one."""

    abstained_at: float
    answered_at: float
    share: float  # of the pool
    wrong: float  # share of them that get a wrong label
    splits: int  # calibration splits with such inputs, over which both are means

    def row(self) -> str:
        """One line of the table."""
        return f"| {self.abstained_at:g} | {self.answered_at:g} | {self.share:.3f} | {self.wrong:.3f} | {self.splits} |"


def resubmit(pool: Population, thresholds: dict[float, list[float | None]]) -> list[Resubmission]:
    """For each pair of neighbouring risks: send the pool at the first, then its abstentions at the second.

    `thresholds` holds for each risk, rising, one threshold for each calibration split. A split is left out where one of
    the two is infeasible (None), or where no input is answered at the second alone. A pair without splits is left out.
    """
    inside = pool.inside()
    confidence, wrong = inside.scores.confidence.astype(np.float64), inside.wrong
    results = []
    for (strict, highs), (lax, lows) in pairwise(thresholds.items()):
        feasible = [(high, low) for high, low in zip(highs, lows, strict=True) if high is not None and low is not None]
        masks = [(low <= confidence) & (confidence < high) for high, low in feasible]
        some = [mask for mask in masks if mask.any()]
        if some:
            shares = [mask.sum() / len(pool) for mask in some]
            errors = [wrong[mask].mean() for mask in some]
            results.append(Resubmission(strict, lax, float(np.mean(shares)), float(np.mean(errors)), len(some)))
    return results


def _resubmissions(pool: Population, tune: Population) -> list[Resubmission]:
    sequence = tune.sequence()
    thresholds: dict[float, list[float | None]] = {risk: [] for risk in RISKS}
    for split in resamples(pool, RESAMPLES, SEED):
        for risk, chosen in thresholds.items():
            chosen.append(split.threshold(sequence, risk))
    return resubmit(pool, thresholds)


def main(model: Path) -> None:
    """Measure, print a table for each target, and write `build/abstention.json`."""
    held_out = HeldOut.of(model, fashion_mnist.load(locate(None) or fetch(lambda line: print(line, file=sys.stderr))))
    pool = Population.behind(held_out.gate, held_out.test)
    tune = Population.behind(held_out.gate, held_out.tune)
    print(
        f"model {held_out.version}; {RESAMPLES} calibration splits of {CALIBRATION_SIZE} from {len(pool)} test images, "
        f"confidence level {CONFIDENCE_LEVEL:g}; {hardware.described()}"
    )
    measured = []
    for risk in RISKS:
        print(f"\nrisk {risk:g}\n\n| rule | coverage | violations | infeasible |\n|---|---|---|---|")
        for result in compare(pool, rules(tune, risk), risk, RESAMPLES):
            print(result.row(), flush=True)
            measured.append(asdict(result))
    print("\nsent again\n\n| abstained at | answered at | share | wrong | splits |\n|---|---|---|---|---|")
    resubmissions = _resubmissions(pool, tune)
    for pair in resubmissions:
        print(pair.row())
    document = {
        "model": held_out.version,
        "hardware": hardware.described(),
        "resamples": RESAMPLES,
        "size": CALIBRATION_SIZE,
        "confidence_level": CONFIDENCE_LEVEL,
        "rules": measured,
        "resubmissions": [asdict(pair) for pair in resubmissions],
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
