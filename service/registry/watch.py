"""Detects changes to the models' files by `stat`, without reading them."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from service.registry.loading import model_files
from service.settings import Settings


class _FileState(NamedTuple):
    """Differs when the file was replaced or written to. Symlinks are followed."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class FileChanges:
    """The differences between two checks."""

    changed: list[Path] = field(default_factory=list)  # new files included
    removed: list[Path] = field(default_factory=list)


class FileWatcher:
    """Remembers the state of the models' files. For one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        """Records the current state. Create it before the files are read, so that no change is missed."""
        self._settings = settings
        self._states = self._current_states()

    def forget(self) -> None:
        """Make the next check report every file as changed."""
        self._states = {}

    def check(self) -> FileChanges:
        """The changes since the last check. The caller must read a changed file after this."""
        before, self._states = self._states, self._current_states()
        changed = [path for path, state in self._states.items() if state != before.get(path)]
        return FileChanges(changed, [path for path in before if path not in self._states])

    def has_changed(self, path: Path) -> bool:
        """Whether a file has changed since the last check, so that the next one will report it."""
        return _state(path) != self._states.get(path)

    def _current_states(self) -> dict[Path, _FileState]:
        settings = self._settings
        paths = [settings.model_path] if settings.models is None else list(model_files(settings.models).values())
        return {path: state for path in paths if (state := _state(path)) is not None}


def _state(path: Path) -> _FileState | None:
    """None for a file that does not exist or is not accessible."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return _FileState(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
