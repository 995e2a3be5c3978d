"""The very splits that a model was trained, certified and reported on, from its manifest and the data."""

from service.contract.manifest import Manifest
from training.data.dataset import LabelledData
from training.data.splits import Splits, split
from training.errors import TrainingError


def reproduce(manifest: Manifest, dataset: LabelledData) -> Splits:
    """Split `dataset` as the model's training did, and prove by the fingerprints that it came out the same.

    Raises TrainingError that names what differs: a number measured on other data would be taken for the model's.
    """
    if manifest.training.recipe == "next-token":
        raise TrainingError("the model predicts the next token of a text, and `evaluate` reads no texts")
    if dataset.fingerprint != manifest.data.fingerprint:
        raise TrainingError(
            f"the model was trained on the data {manifest.data.name} of fingerprint {manifest.data.fingerprint[:12]}, "
            f"and these are {dataset.name} of {dataset.fingerprint[:12]}"
        )
    if list(dataset.classes) != manifest.labels:
        raise TrainingError(
            f"the model's labels are {', '.join(manifest.labels)}, and those of the data {', '.join(dataset.classes)}"
        )
    splits = split(dataset, manifest.training.recipe, manifest.training.seed)
    found, stated = splits.describe(dataset).splits, manifest.data.splits
    differing = [name for name in {**stated, **found} if found.get(name) != stated.get(name)]
    if differing:
        raise TrainingError(
            f"the data give other splits than the model was made with: {', '.join(differing)} differ. "
            "Splits depend on the options about them, --copies and --group-column among them, and on the versions of "
            "this code and of numpy."
        )
    return splits
