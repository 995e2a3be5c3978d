"""Locates or fetches Fashion-MNIST: a folder that has it, Debian's package, or a download.

The package is fetched without root and without touching the system: apt keeps its lists in a temporary folder.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pooch

from service.contract.files import make_writable
from training.data.options import DATA_DIR_VARIABLE
from training.data.sources.fashion_mnist import FILES, NAME, REMEDY
from training.data.sources.idx import IdxFile
from training.errors import DataError

DEBIAN_PACKAGE = "dataset-fashion-mnist"
PACKAGE_FOLDER = "usr/share/datasets/fashion-mnist"  # in the package, and below / once it is installed
SYSTEM_FOLDER = Path("/") / PACKAGE_FOLDER
MIRRORS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
RETRIES = 3
_APT_SECONDS = 300

Log = Callable[[str], None]


def cache_folder() -> Path:
    """The user's cache for this data set."""
    return Path(platformdirs.user_cache_dir("demur", appauthor=False)) / NAME


def locate(data_dir: Path | None) -> Path | None:
    """The folder that holds the data, or None.

    In this order: `data_dir`; DEMUR_DATA_DIR; the folder of Debian's package; the user's cache. A folder that the user
    names is returned unchecked: reading it reports what is wrong.
    """
    if data_dir is not None:
        return data_dir
    if named := os.environ.get(DATA_DIR_VARIABLE):
        return Path(named)
    return next((folder for folder in (SYSTEM_FOLDER, cache_folder()) if _complete(folder)), None)


def fetch(log: Log, target: Path | None = None, mirrors: tuple[str, ...] = MIRRORS) -> Path:
    """Fetch the missing files into `target` (the cache by default) and return it.

    Tries Debian's package, then each of `mirrors`. Files are verified before they are moved into place. A damaged file
    in the cache is replaced. In any other folder it is not, since other data sets use the same names: it raises
    DataError, as does a failure of all sources. `log` gets a line for each attempt.
    """
    target = target or cache_folder()
    missing = _missing(target, repair=target == cache_folder())
    if not missing:
        return target
    make_writable(target)
    attempts: list[tuple[str, Callable[[Path], Path]]] = [
        (f"Debian's package {DEBIAN_PACKAGE}", _from_debian),
        *((mirror, lambda scratch, url=mirror: _from_mirror(url, scratch)) for mirror in mirrors),
    ]
    for source, attempt in attempts:
        with tempfile.TemporaryDirectory(dir=target, prefix=".fetch-") as scratch:
            log(f"fetching {NAME} from {source}")
            try:
                fetched = attempt(Path(scratch))
                for file in FILES:
                    file.read(fetched, remedy="")
            except (DataError, OSError, ValueError, subprocess.SubprocessError) as error:
                log(f"  failed: {error}")
                continue
            _install(missing, fetched, target)
            return target
    raise DataError(f"{NAME} could not be fetched from any of {len(attempts)} sources. {REMEDY}")


def _complete(folder: Path) -> bool:
    return all(file.find(folder) for file in FILES)


def _missing(folder: Path, *, repair: bool) -> list[IdxFile]:
    """The files that `folder` lacks. A damaged one is deleted if `repair` is set, else it raises DataError."""
    missing = []
    for file in FILES:
        path = file.find(folder)
        if path is not None:
            try:
                file.read(folder, REMEDY)
                continue
            except DataError:
                if not repair:
                    raise
                path.unlink()
        missing.append(file)
    return missing


def _install(files: list[IdxFile], fetched: Path, target: Path) -> None:
    """Move the verified `files` from `fetched` into `target`, each atomically."""
    for file in files:
        source = file.find(fetched)
        assert source is not None  # it was just read
        source.replace(target / source.name)


def _from_debian(scratch: Path) -> Path:
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise DataError(f"{program} is not installed")
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (scratch / folder).mkdir(parents=True)
    apt = ["apt-get", "-qq", "-o", f"Dir::State={scratch}/state", "-o", f"Dir::Cache={scratch}/cache"]
    apt += ["-o", "APT::Sandbox::User="]  # apt's own user could not write into the temporary folder
    _call([*apt, "update"], scratch)
    _call([*apt, "download", DEBIAN_PACKAGE], scratch)
    _call(["dpkg-deb", "-x", str(next(scratch.glob("*.deb"))), str(scratch)], scratch)
    return scratch / PACKAGE_FOLDER


def _call(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_APT_SECONDS, check=False)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise DataError(f"{command[0]} {command[-2]} {command[-1]}: {last}")


def _from_mirror(url: str, scratch: Path) -> Path:
    for file in FILES:
        _download(url, file, scratch)
    return scratch


def _download(url: str, file: IdxFile, scratch: Path) -> None:
    name = f"{file.name}.gz"
    # No hash: the gzip bytes differ between sources, and the content is verified by its own checksum.
    registry = pooch.create(scratch, url, registry={name: None}, retry_if_failed=RETRIES)
    registry.fetch(name)
