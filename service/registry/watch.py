"""Whether the files of the models are still those that were read: by `stat`, which reads none of them."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from service.registry.loading import files_in
from service.settings import Settings


class _Print(NamedTuple):
    """What differs where a file is another, or has been written to. Of a symlink it is what it leads to."""

    device: int
    inode: int
    size: int
    written_ns: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the files found."""

    changed: list[Path] = field(default_factory=list)  # other than at the last look, or new
    gone: list[Path] = field(default_factory=list)  # there at the last look


class Watch:
    """The files that the models are from. For one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        """Remembers the files as they are now: to be made before they are read."""
        self._settings = settings
        self._known = self._now()

    def forget(self) -> None:
        """Take all files for changed at the next look."""
        self._known = {}

    def look(self) -> Look:
        """Compare the files with what they were at the last look. A new one is read by whoever gets it from here."""
        before, self._known = self._known, self._now()
        changed = [path for path, found in self._known.items() if found != before.get(path)]
        return Look(changed, [path for path in before if path not in self._known])

    def has_changed(self, path: Path) -> bool:
        """Whether a file is another than at the last look: then the next will find it."""
        return _print(path) != self._known.get(path)

    def _now(self) -> dict[Path, _Print]:
        settings = self._settings
        paths = [settings.model_path] if settings.models is None else list(files_in(settings.models).values())
        return {path: found for path in paths if (found := _print(path)) is not None}


def _print(path: Path) -> _Print | None:
    """None where it is not there, or cannot be looked at."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return _Print(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
