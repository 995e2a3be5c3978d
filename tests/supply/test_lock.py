"""Every package of the serving image is pinned by hash; the locks agree."""

import re

import pytest

from tests.server import ROOT
from tests.supply.lock import pins


@pytest.mark.parametrize("name", ["serve", "traces"])
def test_every_package_of_the_serving_image_has_the_hashes_of_its_files(name: str) -> None:
    packages = pins(name)
    assert {"fastapi", "onnxruntime", "uvicorn"} <= packages.keys()
    assert [package for package, pin in packages.items() if not pin.hashes] == []
    assert len(packages["onnxruntime"].hashes) > 1  # a wheel for each platform


def test_image_installs_nothing_else() -> None:
    """pip checks hashes only if every package has one; the option makes it fail otherwise."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    stage = dockerfile.partition(" AS serve-dependencies\n")[2].partition("\nFROM ")[0]
    assert "install --no-cache-dir --require-hashes --requirement requirements.txt" in stage


def test_serving_lock_has_nothing_of_training() -> None:
    names = re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "serve.txt").read_text(), re.MULTILINE)
    assert "onnxruntime" in names
    training = {"torch", "onnx", "matplotlib", "pooch", "scipy", "jinja2", "pyarrow"}
    assert not (training | {"pytest", "mapie", "scikit-learn"}) & set(names)


def test_locks_agree() -> None:
    pins = {
        name: dict(
            re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE)
        )
        for name in ("serve", "train", "dev")
    }
    assert pins["serve"].items() <= pins["train"].items() <= pins["dev"].items()
