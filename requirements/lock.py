"""Pins what each half needs, with all that it pulls in, from `pyproject.toml`: each file of EXTRAS below."""

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
EXTRAS = {
    "serve": ["serve"],
    "traces": ["serve", "traces"],
    "train": ["serve", "train"],
    "dev": ["serve", "traces", "train", "dev"],
}
# What goes into the serving image is held to the bytes. Not torch, of which each machine takes its own wheel.
HASHED = {"serve", "traces"}
# Whose index or wheel folder a version came from is the machine's affair and does not belong into the file.
QUIET = ["--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-header", "--quiet"]


def main() -> None:
    """Write the files."""
    for name, extras in EXTRAS.items():
        target = FOLDER / f"{name}.txt"
        command = [sys.executable, "-m", "piptools", "compile", *QUIET, "--strip-extras", "--upgrade"]
        command += ["--annotation-style=line", f"--output-file={target}"]
        command += [f"--extra={extra}" for extra in extras]
        command += ["--generate-hashes"] if name in HASHED else []
        subprocess.run([*command, "pyproject.toml"], cwd=FOLDER.parent, check=True)
        # A local build of torch (2.13.0+cpu) is the same release: the plain version lets each machine take its own.
        text = re.sub(r"\+cpu\b", "", target.read_text())
        target.write_text(f"# Made by `make lock` from the extras {', '.join(extras)} of pyproject.toml.\n{text}")


if __name__ == "__main__":
    main()
