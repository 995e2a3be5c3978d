"""Finds the pictures of a folder with one folder for each class, and the classes and splits that its layout states.

- All pictures below a class folder belong to the class.
- A folder that holds nothing but one folder with the classes is gone through.
- Folders train, val and test, each with the class folders, are splits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.contract.manifest import SplitName
from service.inference.readers.picture_formats import NAMES, SUFFIXES
from training.data.raw import ALL_SPLITS, Findings, Stratum
from training.data.sources.folder_tree import Folder, scanned
from training.errors import DataError

_TRAIN, _TUNE, _TEST = "train", "val", "test"
_ROLES = {
    **dict.fromkeys(("train", "training"), _TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), _TUNE),
    **dict.fromkeys(("test", "testing"), _TEST),
}
_MAX_NAMED = 5  # folders, classes or endings that a message names


@dataclass(frozen=True, slots=True)
class Part:
    """Class folders that are divided among the same splits."""

    stratum: Stratum
    classes: list[Folder]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a folder holds."""

    form: str  # in words
    parts: list[Part]  # one, or one for each split folder


def layout(path: Path, findings: Findings) -> Layout:
    """The layout of the folder at `path`. Raises DataError if it has no class folder, or may be read in two ways."""
    root = scanned(path)
    form = "a folder for each class"
    while len(root.folders) == 1 and not root.pictures and root.folders[0].holds_only_folders:
        _warn_of_empty(root, findings)
        root = root.folders[0]
        form = f"a folder for each class in {root.path.relative_to(path)}"
    by_role = _by_role(root)
    if by_role:
        names = [folder.name for folders in by_role.values() for folder in folders]
        form += f", in each of the splits {_listed(names)}" if len(by_role) > 1 else f", in {_listed(names)}"
        parts = _split_folders(root, by_role, findings)
    else:
        _check_unambiguous(root)
        parts = [Part(Stratum("", ALL_SPLITS), _classes(root, findings))]
    classes = [each for part in parts for each in part.classes]
    _warn_of_others(path, classes, findings)
    nested = {each.name: count for each in classes if (count := len(each.all_pictures()) - len(each.pictures))}
    if nested:
        form += f"; {_count(sum(nested.values()), 'picture')} in sub-folders of {_listed(sorted(nested))}"
    return Layout(form, parts)


def check_same_classes(parts: Sequence[Part], findings: Findings) -> None:
    """Add a class that is missing in some part to the findings: an error if it is in no training pictures."""
    names = [{each.name for each in part.classes} for part in parts]
    for part, have in zip(parts, names, strict=True):
        lacking = sorted(set().union(*names) - have)
        if lacking and "train" in part.stratum.splits:
            findings.errors.append(
                f"the {part.stratum.words} has no picture of {_listed(lacking)}, but another split has: put some "
                "there, or delete that class"
            )
        elif lacking:
            findings.warnings.append(
                f"the {part.stratum.words} has no picture of {_listed(lacking)}: nothing is measured on such pictures"
            )


def _by_role(root: Folder) -> dict[str, list[Folder]]:
    """The folders of splits that hold class folders, by their role; none if `root` is no folder of splits."""
    by_role: dict[str, list[Folder]] = {}
    for folder in root.folders:
        if folder.holds_only_folders and folder.name.lower() in _ROLES:
            by_role.setdefault(_ROLES[folder.name.lower()], []).append(folder)
    only_splits = all(folder.name.lower() in _ROLES for folder in root.folders)
    if len(by_role) < 2 and not (_TRAIN in by_role and only_splits):
        return {}
    if _TRAIN not in by_role:
        raise DataError(
            f"{root.path} has the splits {_listed(sorted(by_role))} but no folder train: put the training pictures "
            "there, or give one of the folders by --data"
        )
    return {role: by_role[role] for role in (_TRAIN, _TUNE, _TEST) if role in by_role}


def _split_folders(root: Folder, by_role: dict[str, list[Folder]], findings: Findings) -> list[Part]:
    """The class folders of each role, with the splits that are drawn from them."""
    taken = [folder for folders in by_role.values() for folder in folders]
    for folder in root.folders:
        if folder not in taken:
            findings.warnings.append(
                f"{folder.path} is left out, with {_count(len(folder.all_pictures()), 'picture')}: it is no split with "
                "a folder for each class"
            )
    _warn_of_loose(root, "no split", findings)
    _warn_of_empty(root, findings)
    parts = []
    for role, folders in by_role.items():
        words = f"folder {' and '.join(folder.name for folder in folders)}"
        classes = [each for folder in folders for each in _classes(folder, findings)]
        parts.append(Part(Stratum(words, _splits_of(role, set(by_role))), classes))
    return parts


def _splits_of(role: str, roles: set[str]) -> tuple[SplitName, ...]:
    """The splits that are drawn from the folders of a role, when there are folders of these `roles`.

    A folder val is for choosing settings if there is a folder test too, and takes its place otherwise.

    >>> _splits_of("train", {"train", "test"}), _splits_of("val", {"train", "val"})
    (('train', 'tune'), ('calibration', 'report'))
    """
    own = {_TRAIN, _TUNE, _TEST} <= roles
    if role == _TRAIN:
        return ALL_SPLITS if roles == {_TRAIN} else ("train",) if own else ("train", "tune")
    return ("tune",) if own and role == _TUNE else ("calibration", "report")


def _classes(folder: Folder, findings: Findings) -> list[Folder]:
    if not folder.folders:
        held = [_count(len(folder.pictures), "picture")] if folder.pictures else []
        held += _counted(folder.all_others())
        raise DataError(
            f"{folder.path} has no folder with pictures" + (f", but {_listed(held)}" if held else "") + ": put the "
            f"pictures into one folder for each class ({NAMES}), or list them in a table and give --path-column"
        )
    _warn_of_loose(folder, "no class folder", findings)
    _warn_of_empty(folder, findings)
    return folder.folders


def _check_unambiguous(root: Folder) -> None:
    """Raise DataError if the sub-folders may be the classes as well."""
    if len(root.folders) < 2 or not all(folder.holds_only_folders for folder in root.folders):
        return
    common = set.intersection(*({below.name for below in folder.folders} for folder in root.folders))
    if len(common) > 1:
        count, tops, below = len(root.all_pictures()), [folder.name for folder in root.folders], sorted(common)
        raise DataError(
            f"{root.path}: the classes of its {count:,} pictures may be {_listed(tops)}, or {_listed(below)}, which "
            "each of them has as sub-folders: put the pictures of a class into one folder, or list them in a table and "
            "give --path-column"
        )


def _warn_of_loose(folder: Folder, rule: str, findings: Findings) -> None:
    if folder.pictures:
        findings.warnings.append(
            f"{_count(len(folder.pictures), 'picture')} in {rule} left out, the first {folder.pictures[0]}"
        )


def _warn_of_empty(folder: Folder, findings: Findings) -> None:
    for empty in folder.empty:
        held = _counted(empty.all_others())
        findings.warnings.append(
            f"the folder {empty.path} is left out: it has no picture" + (f", but {_listed(held)}" if held else "")
        )


def _warn_of_others(path: Path, classes: Sequence[Folder], findings: Findings) -> None:
    others = sum((each.all_others() for each in classes), Counter[str]())
    if others:
        findings.warnings.append(
            f"{path}: {_listed(_counted(others))} left out: pictures are {', '.join(SUFFIXES)} files"
        )


def _counted(endings: Counter[str]) -> list[str]:
    return [_count(count, f"{ending} file") for ending, count in endings.most_common()]


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _listed(names: Sequence[str]) -> str:
    """The first names, in words.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    shown = list(names[:_MAX_NAMED]) + ([f"{len(names) - _MAX_NAMED} more"] if len(names) > _MAX_NAMED else [])
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
