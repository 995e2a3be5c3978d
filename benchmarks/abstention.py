"""`make abstention`: our rule for the threshold beside the others, on the same calibration splits.

The population is the file's scores of all official test images. Each calibration split is drawn from it anew, and
each rule's threshold is held against the whole population: is its true risk over the target, and how much does it
answer? Our sequence is fixed on `tune`. The gate comes first for all of them: they see what is inside.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import selection_rules
from benchmarks.population import CALIBRATION_SIZE, CONFIDENCE_LEVEL, RESAMPLES, RISKS, HeldOut, Population, resamples
from training import hardware
from training.data import fashion_mnist
from training.data.fetch import fetch, locate

SEED = 0
OUT = Path("build/abstention.json")
Rule = Callable[[Population], float | None]  # from a calibration split to a threshold


@dataclass(frozen=True, slots=True)
class Measured:
    """How one rule did at one target, over all calibration splits."""

    risk: float
    rule: str
    coverage: float  # mean; where no threshold was found it is 0
    violations: float  # share of the splits where the true risk is over the target
    infeasible: float  # share of the splits where no threshold was found

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
    for name, found in thresholds.items():
        coverage, true_risk = pool.truth(found)
        infeasible = found.count(None) / len(found)
        measured.append(Measured(risk, name, float(coverage.mean()), float((true_risk > risk).mean()), infeasible))
    return measured


def main(model: Path) -> None:
    """Measure, print a table a target, and write `build/abstention.json`."""
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
        for found in compare(pool, rules(tune, risk), risk, RESAMPLES):
            print(found.row(), flush=True)
            measured.append(asdict(found))
    document = {
        "model": held_out.version,
        "hardware": hardware.described(),
        "resamples": RESAMPLES,
        "size": CALIBRATION_SIZE,
        "confidence_level": CONFIDENCE_LEVEL,
        "rules": measured,
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
