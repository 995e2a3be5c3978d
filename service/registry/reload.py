"""Reloads changed model files: proves each beside the model that serves, and swaps between two requests.

What clients rely on does not change while the service runs. A reload refuses a file with another input, other labels or
another name, as it refuses one that fails its proof. The old model then continues to serve.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from service.contract.errors import DemurError, ModelError
from service.contract.manifest import Manifest
from service.inference.model_file import read_model, sha256
from service.monitoring.metrics.metrics import REFUSED, SWAPPED, Metrics
from service.monitoring.worker_slot import WorkerSlot
from service.registry.loading import assemble, model_files, prove
from service.registry.registry import Registry
from service.registry.served_model import ServedModel
from service.registry.watch import FileWatcher
from service.registry.worker_copy import WorkerCopy
from service.settings import Settings

_STOP_SECONDS = 5.0  # how long the service's shutdown waits for a proof that has begun
_POLL_SECONDS = 0.5  # between checks whether the service is shutting down

_log = logging.getLogger("demur")


class Reloader:
    """Watches and proves model files in a thread of its own, so that no request waits."""

    def __init__(
        self, settings: Settings, slot: WorkerSlot, metrics: Metrics, registry: Registry, watcher: FileWatcher
    ) -> None:
        """`watcher` was made before the models were loaded."""
        self._settings = settings
        self._slot = slot
        self._metrics = metrics
        self._registry = registry
        self._watcher = watcher
        if slot.directory is not None:
            watcher.forget()  # this worker may serve the others' model, and not the file at the path
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._wake_up = threading.Event()
        self._check_all = False
        self._stopped = False

    def start(self) -> None:
        """Start watching. Called on the event loop, on which models are swapped."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="demur-reload", daemon=True)
        self._thread.start()

    def request_check(self) -> None:
        """Check all files now, refused ones included. May be called by a signal handler, or in any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._request_check)

    def stop(self) -> None:
        """Stop watching."""
        self._stopped = True
        self._wake_up.set()
        if self._thread is not None:
            # A proof takes less than this; what hangs is a file system, which is not waited for.
            self._thread.join(_STOP_SECONDS)

    def check_files(self, *, all_files: bool = False) -> None:
        """Swap in the changed files that pass. `all_files` proves every file, and drops models without a file."""
        if all_files:
            self._watcher.forget()
        changes = self._watcher.check()
        for path in changes.removed:
            self._log_removed(path)
        for path in changes.changed:
            self._load(path)
        if all_files:
            self._drop_removed()

    def _request_check(self) -> None:
        self._check_all = True
        self._wake_up.set()

    def _run(self) -> None:
        while not self._stopped:
            self._wake_up.wait(self._settings.reload_seconds or None)
            self._wake_up.clear()
            all_files, self._check_all = self._check_all, False
            if self._stopped:
                return
            try:
                self.check_files(all_files=all_files)
            except Exception:
                _log.exception("the check of the model files failed")

    def _load(self, path: Path) -> None:
        """Prove a file, and swap it in or log why not."""
        name = self._name(path)
        old = self._registry.models.by_name.get(name)
        try:
            file = read_model(path, self._settings.max_model_bytes)
            if old is not None and sha256(file) == old.sha256:
                self._on_loop(partial(self._registry.refused.discard, name))
                return
            new = self._prove(name, file, path, old)
        except DemurError as error:
            self._refuse(name, path, old, str(error))
        except Exception as error:
            self._refuse(name, path, old, f"{path}: {type(error).__name__}: {error}")
        else:
            WorkerCopy(self._slot, path).write(file)
            self._on_loop(partial(self._swap, name, old, new))

    def _prove(self, name: str, file: bytes, path: Path, old: ServedModel | None) -> ServedModel:
        classifier = prove(file, path, self._settings)
        if old is not None:
            check_replaces(path, classifier.manifest, old.manifest)
        return assemble(name, classifier, self._settings, self._slot, self._metrics)

    def _swap(self, name: str, old: ServedModel | None, new: ServedModel) -> None:
        self._registry.refused.discard(name)
        self._registry.put(name, new)
        self._metrics.reload(name, SWAPPED)
        _log.info(
            "model %s: now serving %s, before %s", name, new.ref.version, "none" if old is None else old.ref.version
        )

    def _refuse(self, name: str, path: Path, old: ServedModel | None, reason: str) -> None:
        if self._watcher.has_changed(path):
            return  # it was written to while it was read: the next check takes it
        self._metrics.reload(name, REFUSED)
        if old is None:
            _log.error("model %s is not served: %s", name, reason)
            self._on_loop(partial(self._registry.put, name, None))
        else:
            _log.error("model %s: new file refused, still serving %s: %s", name, old.ref.version, reason)
            self._on_loop(partial(self._registry.refused.add, name))

    def _log_removed(self, path: Path) -> None:
        name = self._name(path)
        old = self._registry.models.by_name.get(name)
        if old is not None:
            _log.warning("%s was removed; model %s %s is still served", path, name, old.ref.version)

    def _drop_removed(self) -> None:
        """Drop the models of a folder whose files were removed, but never the default model or the last one."""
        folder = self._settings.models
        if folder is None:
            return
        files, models = model_files(folder), self._registry.models
        if any(name in files for name, model in models.by_name.items() if model is not None):
            for name in models.by_name.keys() - files.keys() - {models.default_name}:
                WorkerCopy(self._slot, folder / f"{name}.onnx").remove()
                _log.info("model %s is no longer served: its file was removed", name)
                self._on_loop(partial(self._registry.drop, name))

    def _name(self, path: Path) -> str:
        if self._settings.models is not None:
            return path.stem
        (name,) = self._registry.models.by_name
        return name

    def _on_loop(self, change: Callable[[], None]) -> None:
        """Apply a change on the event loop, between two requests, and wait for it. Without a loop, apply it now."""
        loop = self._loop
        if loop is None:
            change()
            return
        done = threading.Event()

        def apply() -> None:
            try:
                change()
            finally:
                done.set()

        with suppress(RuntimeError):  # the loop has ended, and no request follows
            loop.call_soon_threadsafe(apply)
            while not self._stopped and not done.wait(_POLL_SECONDS):
                pass


def check_replaces(path: Path, new: Manifest, old: Manifest) -> None:
    """Raise ModelError if clients would notice more than another version."""
    rule = "restart the service to serve it"
    if new.name != old.name:
        raise ModelError(f"{path} holds the model {new.name}, and {old.name} is served: {rule}")
    if new.input != old.input:
        fields = [
            name for name in type(old.input).model_fields if getattr(new.input, name, None) != getattr(old.input, name)
        ]
        raise ModelError(f"{path} takes another input than the served model (its {', '.join(fields)}): {rule}")
    if new.labels != old.labels:
        raise ModelError(f"{path} has other labels than the served model, or another order of labels: {rule}")
