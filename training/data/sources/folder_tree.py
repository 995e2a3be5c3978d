"""Lists a folder of pictures with all below it, without what systems leave behind."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from service.inference.readers.picture_formats import SUFFIXES
from training.errors import DataError

_LITTER = frozenset({"__macosx", "thumbs.db", "desktop.ini"})  # what systems leave behind, besides hidden entries


@dataclass(slots=True)
class Folder:
    """A folder and what is in it."""

    path: Path
    pictures: list[str] = field(default_factory=list)  # paths of those directly in it, by name
    folders: list["Folder"] = field(default_factory=list)  # those with pictures in them or below, by name
    empty: list["Folder"] = field(default_factory=list)  # those without
    others: Counter[str] = field(default_factory=Counter)  # the endings of other files directly in it

    @property
    def name(self) -> str:
        """The name that a class gets."""
        return self.path.name

    @property
    def holds_only_folders(self) -> bool:
        """Whether all its pictures are in folders."""
        return bool(self.folders) and not self.pictures

    def all_pictures(self) -> list[str]:
        """The paths of the pictures in it and below."""
        return [*self.pictures, *(path for folder in self.folders for path in folder.all_pictures())]

    def all_others(self) -> Counter[str]:
        """The endings of the other files in it and below."""
        return sum((folder.all_others() for folder in (*self.folders, *self.empty)), Counter(self.others))


def scanned(path: Path, above: frozenset[tuple[int, int]] = frozenset()) -> Folder:
    """The folder with all below it. Raises DataError if one of them cannot be read.

    `above` identifies the folders around it, which a link may lead back to.
    """
    result = Folder(path)
    try:
        status = os.stat(path)
        above |= {(status.st_dev, status.st_ino)}
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            if entry.name[0] == "." or entry.name.lower() in _LITTER:
                continue
            if not entry.is_dir():
                if entry.name.lower().endswith(SUFFIXES):
                    result.pictures.append(entry.path)
                else:
                    result.others[os.path.splitext(entry.name)[1].lower() or "other"] += 1
            elif not entry.is_symlink() or (entry.stat().st_dev, entry.stat().st_ino) not in above:
                below = scanned(path / entry.name, above)
                (result.folders if below.pictures or below.folders else result.empty).append(below)
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {error.strerror}") from None
    return result
