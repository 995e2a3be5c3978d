"""Rebuilds the splits of a model's training from its manifest and the data."""

from collections.abc import Mapping

from service.contract.manifest import Manifest, Split, SplitName
from training.data.dataset import LabelledData
from training.data.splits import Splits, split
from training.errors import TrainingError


def reproduce(manifest: Manifest, dataset: LabelledData) -> Splits:
    """Split `dataset` as the model's training did, and check the fingerprints of the splits.

    Raises TrainingError with the differences: measurements on other data must not pass for those of the model.
    """
    if manifest.training.recipe == "next-token":
        raise TrainingError("the model predicts the next token of a text, and `evaluate` cannot read texts")
    if dataset.fingerprint != manifest.data.fingerprint:
        raise TrainingError(
            f"the model was trained on the data {manifest.data.name} of fingerprint {manifest.data.fingerprint[:12]}, "
            f"and these are {dataset.name} of {dataset.fingerprint[:12]}"
        )
    if list(dataset.classes) != manifest.labels:
        raise TrainingError(
            f"the model's labels are {', '.join(manifest.labels)}, and those of the data {', '.join(dataset.classes)}"
        )
    recipe = "tuned" if manifest.training.recipe == "auto" else manifest.training.recipe  # the same splits
    splits = split(dataset, recipe, manifest.training.seed)
    rebuilt, recorded = splits.describe(dataset).splits, manifest.data.splits
    differing = [name for name in {**recorded, **rebuilt} if rebuilt.get(name) != recorded.get(name)]
    if differing:
        raise TrainingError(
            f"the data give other splits than in the model's training: {', '.join(differing)} differ"
            f"{_described(differing[0], recorded, rebuilt)}. Give the options of the fit that decide splits, such as "
            "--group-column, --split-shares and --copies; splits also depend on the versions of this code and of numpy."
        )
    return splits


def _described(name: SplitName, recorded: Mapping[SplitName, Split], rebuilt: Mapping[SplitName, Split]) -> str:
    """What the model says of a split, and what the data give: the words name the options."""
    words = [
        f"{splits[name].size} of {splits[name].source}" if name in splits else "none" for splits in (recorded, rebuilt)
    ]
    return f": in the model, {name} is {words[0]}; here, {words[1]}" if words[0] != words[1] else ""
