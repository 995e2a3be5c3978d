"""Another file in the place of a model's: proved beside the one that serves, and swapped between two requests.

What clients have to know of a model does not change while the service runs: a file of another input, other labels or
another name is refused, as one is that does not pass its proof. The model that serves then goes on.
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
from service.registry.loading import files_in, proved, served
from service.registry.registry import Registry
from service.registry.served_model import ServedModel
from service.registry.watch import Watch
from service.registry.worker_copy import WorkerCopy
from service.settings import Settings

_LAST_SECONDS = 5.0  # how long the end of the service waits for a proof that has begun

_LOOK_SECONDS = 0.5  # between looks whether the service ends

_log = logging.getLogger("demur")


class Reloader:
    """Watches the files of the models in a thread of its own, which also proves them, so that no request waits."""

    def __init__(
        self, settings: Settings, slot: WorkerSlot, metrics: Metrics, registry: Registry, watch: Watch
    ) -> None:
        """`watch` is from before the models were loaded."""
        self._settings = settings
        self._place = slot
        self._metrics = metrics
        self._serving = registry
        self._watch = watch
        if slot.directory is not None:
            watch.forget()  # what is served may be what the other workers serve, and not what lies there
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()
        self._asked = False
        self._ended = False

    def start(self) -> None:
        """Watch from now on. Called on the event loop, on which models are swapped."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="demur-reload", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """Look at once, and prove again what was refused. May be called by a signal handler, or in any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):  # a loop that has ended
                self._loop.call_soon_threadsafe(self._wake)

    def stop(self) -> None:
        """Watch no more."""
        self._ended = True
        self._woken.set()
        if self._thread is not None:
            # A proof is over soon; what hangs is a file system, and is not waited for.
            self._thread.join(_LAST_SECONDS)

    def look(self, *, asked: bool = False) -> None:
        """Look at the files, and swap in what may serve. `asked` looks at all, and lets go of models without a file."""
        if asked:
            self._watch.forget()
        found = self._watch.look()
        for path in found.gone:
            self._say_that_it_is_gone(path)
        for path in found.changed:
            self._try(path)
        if asked:
            self._let_go()

    def _wake(self) -> None:
        self._asked = True
        self._woken.set()

    def _run(self) -> None:
        while not self._ended:
            self._woken.wait(self._settings.reload_seconds or None)
            self._woken.clear()
            asked, self._asked = self._asked, False
            if self._ended:
                return
            try:
                self.look(asked=asked)
            except Exception:
                _log.exception("the files of the models could not be looked at")

    def _try(self, path: Path) -> None:
        """Prove a file, and have it served or say why not."""
        name = self._name(path)
        old = self._serving.models.by_name.get(name)
        try:
            file = read_model(path, self._settings.max_model_bytes)
            if old is not None and sha256(file) == old.sha256:
                self._on_loop(partial(self._serving.refused.discard, name))
                return
            new = self._proved(name, file, path, old)
        except DemurError as error:
            self._refuse(name, path, old, str(error))
        except Exception as error:
            self._refuse(name, path, old, f"{path}: {type(error).__name__}: {error}")
        else:
            WorkerCopy(self._place, path).write(file)
            self._on_loop(partial(self._swap, name, old, new))

    def _proved(self, name: str, file: bytes, path: Path, old: ServedModel | None) -> ServedModel:
        classifier = proved(file, path, self._settings)
        if old is not None:
            check_replaces(path, classifier.manifest, old.manifest)
        return served(name, classifier, self._settings, self._place, self._metrics)

    def _swap(self, name: str, old: ServedModel | None, new: ServedModel) -> None:
        self._serving.refused.discard(name)
        self._serving.put(name, new)
        self._metrics.reload(name, SWAPPED)
        before = "there was none" if old is None else f"it was {old.ref.version}"
        _log.info("model %s is %s from now on; %s", name, new.ref.version, before)

    def _refuse(self, name: str, path: Path, old: ServedModel | None, reason: str) -> None:
        if self._watch.has_changed(path):
            return  # it was written to while it was read: the next look takes it as it then is
        self._metrics.reload(name, REFUSED)
        if old is None:
            _log.error("model %s may not serve: %s", name, reason)
            self._on_loop(partial(self._serving.put, name, None))
        else:
            _log.error("another file of model %s is refused, and %s serves on: %s", name, old.ref.version, reason)
            self._on_loop(partial(self._serving.refused.add, name))

    def _say_that_it_is_gone(self, path: Path) -> None:
        name = self._name(path)
        old = self._serving.models.by_name.get(name)
        if old is not None:
            _log.warning("%s is gone, and model %s %s serves on", path, name, old.ref.version)

    def _let_go(self) -> None:
        """Of several models serve those no more whose files are gone; but always the default one, and never none."""
        folder = self._settings.models
        if folder is None:
            return
        there, models = files_in(folder), self._serving.models
        if any(name in there for name, model in models.by_name.items() if model is not None):
            for name in models.by_name.keys() - there.keys() - {models.default_name}:
                WorkerCopy(self._place, folder / f"{name}.onnx").remove()
                _log.info("model %s is served no more: its file is gone", name)
                self._on_loop(partial(self._serving.drop, name))

    def _name(self, path: Path) -> str:
        if self._settings.models is not None:
            return path.stem
        (name,) = self._serving.models.by_name
        return name

    def _on_loop(self, change: Callable[[], None]) -> None:
        """Change what is served between two requests, and wait until it is done. Where no loop runs yet, at once."""
        loop = self._loop
        if loop is None:
            change()
            return
        done = threading.Event()

        def change_now() -> None:
            try:
                change()
            finally:
                done.set()

        with suppress(RuntimeError):  # the loop has ended, and nobody asks any more
            loop.call_soon_threadsafe(change_now)
            while not self._ended and not done.wait(_LOOK_SECONDS):
                pass


def check_replaces(path: Path, new: Manifest, old: Manifest) -> None:
    """Raises ModelError where clients would have to know of the change."""
    rule = "start the service again to serve it"
    if new.name != old.name:
        raise ModelError(f"{path} is of a model {new.name}, and {old.name} is served: {rule}")
    if new.input != old.input:
        fields = [
            name for name in type(old.input).model_fields if getattr(new.input, name, None) != getattr(old.input, name)
        ]
        raise ModelError(f"{path} takes another input than the model that is served (its {', '.join(fields)}): {rule}")
    if new.labels != old.labels:
        raise ModelError(f"{path} has other labels, or another order of them, than the model that is served: {rule}")
