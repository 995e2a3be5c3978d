"""The repository that deploy/triton lays out: its contents, and its errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.triton.layout import LayoutError, lay_out, main
from service.contract.errors import ModelError
from service.inference.classifier import Classifier
from tests import tiny
from tests.server import ROOT


def test_repository_holds_the_model_its_labels_and_the_configuration(tiny_model: Path, tmp_path: Path) -> None:
    repository = tmp_path / "new" / "models"
    command = [sys.executable, "-m", "deploy.triton.layout", str(tiny_model), str(repository)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == f"{repository / 'tiny'}\n"
    files = sorted(str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file())
    assert files == ["tiny/1/model.onnx", "tiny/config.pbtxt", "tiny/labels.txt"]
    assert (repository / "tiny/1/model.onnx").read_bytes() == tiny_model.read_bytes()
    assert (repository / "tiny/labels.txt").read_text().splitlines() == tiny.LABELS
    assert list((tmp_path / "new").iterdir()) == [repository]
    version = Classifier.load(tiny_model).version
    assert version in (repository / "tiny/config.pbtxt").read_text()


def test_existing_folder_is_kept(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tiny_model), str(tmp_path), "--name", "shoes"]
    assert main(arguments) == 0
    (tmp_path / "shoes" / "labels.txt").write_text("mine\n")
    assert main(arguments) == 1
    assert f"{tmp_path / 'shoes'} already exists" in capsys.readouterr().err
    assert (tmp_path / "shoes" / "labels.txt").read_text() == "mine\n"


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "a b", " "])
def test_invalid_folder_name_is_refused(tiny_model: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(LayoutError, match=r"^--name="):
        lay_out(tiny_model, tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []


def test_invalid_model_is_not_laid_out(tmp_path: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"nothing")
    with pytest.raises(ModelError):
        lay_out(broken, tmp_path / "models")
    assert list(tmp_path.iterdir()) == [broken]


def test_readme_names_existing_files() -> None:
    text = (ROOT / "deploy" / "triton" / "README.md").read_text()
    (command,) = [line for line in text.splitlines() if "-m deploy.triton.layout" in line]
    assert command == ".venv/bin/python -m deploy.triton.layout build/model.onnx build/triton"
