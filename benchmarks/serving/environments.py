"""An environment for each peer under `build/peers`, from its pinned list."""

import re
import subprocess
import sys
from pathlib import Path

_LISTS = Path(__file__).parent / "peers"
FOLDER = Path("build/peers")


def names() -> list[str]:
    """The names of the peers, from their package lists."""
    return sorted(path.stem for path in _LISTS.glob("*.txt"))


def python_of(peer: str | None) -> Path:
    """The interpreter of a peer; ours without one."""
    return Path(sys.executable) if peer is None else FOLDER.resolve() / peer / "bin" / "python"


def versions(peer: str) -> dict[str, str]:
    """The versions of the packages that matter for its speed, from its list."""
    pins = dict(re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==(\S+)", (_LISTS / f"{peer}.txt").read_text(), re.MULTILINE))
    return {name: pins[name] for name in (peer, "onnxruntime", "fastapi", "starlette", "uvicorn") if name in pins}


def make(peer: str) -> None:
    """Create or update the environment from its list. Raises CalledProcessError if pip fails; pip prints the reason."""
    folder, listed = FOLDER / peer, _LISTS / f"{peer}.txt"
    done = folder / "packages.txt"  # the list from which it was made
    if done.exists() and done.read_text() == listed.read_text():
        return
    print(f"{folder}: installing", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", "--no-deps", "--requirement", listed], check=True)
    done.write_text(listed.read_text())


if __name__ == "__main__":
    for peer in names():
        make(peer)
