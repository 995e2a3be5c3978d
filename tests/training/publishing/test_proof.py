"""A file appears complete and proved, or not at all."""

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from service.contract.errors import FileError
from service.contract.files import check_place, publish
from service.inference.classifier import Classifier
from tests import tiny
from training.errors import ProofError
from training.publishing.export import to_onnx
from training.publishing.proof import Expected, load_draft, prove_export

PROBABILITIES = np.array(tiny.PROBABILITIES, dtype=np.float32)
OOD_SCORES = np.array(tiny.OOD_SCORES, dtype=np.float32)
EXPECTED = Expected(PROBABILITIES, OOD_SCORES)


def _accept(_: Path) -> None:
    """A proof that everything passes."""


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_publish_puts_the_file_in_place_and_returns_the_proof(tmp_path: Path) -> None:
    target = tmp_path / "new" / "model.onnx"
    checked: list[bytes] = []

    def prove(draft: Path) -> str:
        checked.append(draft.read_bytes())
        assert draft.parent == target.parent
        assert not target.exists()
        return "proved"

    assert publish(b"content", target, prove) == "proved"
    assert checked == [b"content"]
    assert target.read_bytes() == b"content"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert _names(target.parent) == ["model.onnx"]


def test_publish_replaces(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")
    publish(b"new", target, _accept)
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize(
    "failure", [ProofError("no"), KeyboardInterrupt(), MemoryError()], ids=lambda e: type(e).__name__
)
def test_failed_proof_keeps_the_previous_file(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "model.onnx"
    target.write_bytes(b"old")

    def prove(_: Path) -> None:
        raise failure

    with pytest.raises(type(failure)):
        publish(b"new", target, prove)
    assert target.read_bytes() == b"old"
    assert _names(tmp_path) == ["model.onnx"]


def _publish_anything(target: Path) -> None:
    publish(b"new", target, _accept)


before_and_after_the_fit = pytest.mark.parametrize("put", [check_place, _publish_anything])


@before_and_after_the_fit
def test_folder_that_cannot_be_made(tmp_path: Path, put: Callable[[Path], None]) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(FileError, match=r"cannot make the folder .*file: (Not a directory|File exists)"):
        put(tmp_path / "file" / "model.onnx")


@before_and_after_the_fit
def test_folder_that_takes_no_file(put: Callable[[Path], None]) -> None:
    with pytest.raises(FileError, match=r"cannot write into /proc/self: "):
        put(Path("/proc/self/model.onnx"))


@before_and_after_the_fit
def test_target_that_is_a_folder(tmp_path: Path, put: Callable[[Path], None]) -> None:
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(FileError, match=r"cannot write .*model\.onnx: Is a directory"):
        put(tmp_path / "model.onnx")
    assert _names(tmp_path) == ["model.onnx"]


def test_check_of_the_place_leaves_no_trace(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    check_place(target)
    assert _names(tmp_path) == []
    target.write_bytes(b"old")
    check_place(target)
    assert target.read_bytes() == b"old"


def test_proof_of_the_right_file(tiny_model: Path) -> None:
    proof = prove_export(tiny_model, [tiny.IMAGES], EXPECTED)
    assert proof.classifier.version == Classifier.load(tiny_model).version
    assert 0 <= proof.difference < 2e-7
    served = proof.classifier.scores(tiny.IMAGES)
    np.testing.assert_array_equal(proof.scores.probabilities, served.probabilities)
    np.testing.assert_array_equal(proof.scores.ood_score, served.ood_score)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (
            Expected(PROBABILITIES + np.float32(2e-6), OOD_SCORES),
            r"over 4 report inputs .* is 2\.\d+e-06 .* allowed 1e-06, and 0 labels differ",
        ),
        (Expected(PROBABILITIES[:, ::-1], OOD_SCORES), "and 2 labels differ, allowed 0"),
        (Expected(np.full_like(PROBABILITIES, np.nan), OOD_SCORES), "difference in a probability is nan"),
        (Expected(PROBABILITIES, OOD_SCORES * np.float32(1.00001)), r"relative in an ood_score (1e-05|9\.\d+e-06),"),
        (Expected(PROBABILITIES, np.full_like(OOD_SCORES, np.nan)), "relative in an ood_score nan"),
    ],
    ids=["probabilities", "labels", "NaN", "ood_score", "ood_score NaN"],
)
def test_proof_rejects_a_file_that_computes_something_else(tiny_model: Path, expected: Expected, message: str) -> None:
    with pytest.raises(ProofError, match=message):
        prove_export(tiny_model, [tiny.IMAGES], expected)


def test_proof_rejects_labels_that_differ_within_the_tolerance(tmp_path: Path) -> None:
    """If torch would break a tie the other way, even a tiny difference counts."""
    nearly = Expected(PROBABILITIES[:1] + np.array([[0, 1e-7, 0]], dtype=np.float32), OOD_SCORES[:1])
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(tiny.MODEL, tiny.manifest()))
    with pytest.raises(ProofError, match="and 1 labels differ"):
        prove_export(path, [tiny.IMAGES[:1]], nearly)


def test_proof_rejects_a_file_that_the_service_rejects(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"nonsense")
    with pytest.raises(ProofError, match=r"the service refuses the exported file: .* is not a model"):
        prove_export(path, [tiny.IMAGES], EXPECTED)
    with pytest.raises(ProofError, match=r"the service refuses the exported file: .* is not a model"):
        load_draft(b"nonsense")


def test_draft_equals_the_published_file() -> None:
    content = to_onnx(tiny.MODEL, tiny.manifest())
    assert load_draft(content).version == hashlib.sha256(content).hexdigest()[:12]
