"""`python -m benchmarks.serving.packages`: the size of the serving image, by package.

The packages of `requirements/serve.txt` are installed into a new environment, as in the Dockerfile, and measured by
their size on disk; the model and the service's own code are listed too.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

MODEL = Path("build/model.onnx")
_SHOWN_MB = 1


def installed(folder: Path) -> dict[str, int]:
    """Bytes of each package in a folder, the largest first."""
    sizes = {each.metadata["Name"]: _size(each) for each in distributions(path=[str(folder)])}
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def measure() -> dict[str, Any]:
    """Install the packages and measure them, in bytes."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps", "--target", name]
        subprocess.run([*command, "--requirement", "requirements/serve.txt"], check=True)
        sizes = installed(Path(name))
    sizes["the service's own code"] = sum(path.stat().st_size for path in Path("service").rglob("*.py"))
    if MODEL.exists():
        sizes["the model"] = MODEL.stat().st_size
    return {"bytes": sizes, "megabytes": sum(sizes.values()) / 1e6}


def table(document: dict[str, Any]) -> str:
    """Packages of at least a megabyte, and the sum of the rest."""
    lines, rest = ["| part | MB |", "|---|---|"], 0
    for name, size in document["bytes"].items():
        if size / 1e6 >= _SHOWN_MB:
            lines.append(f"| {name} | {size / 1e6:.1f} |")
        else:
            rest += size
    return "\n".join([*lines, f"| all else | {rest / 1e6:.1f} |", f"| together | {document['megabytes']:.1f} |"])


def _size(distribution: Distribution) -> int:
    paths = [Path(str(file.locate())) for file in distribution.files or []]
    return sum(path.stat().st_size for path in paths if path.exists())


if __name__ == "__main__":
    print(table(measure()))
