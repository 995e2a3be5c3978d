"""`demur score` as a user sees it: its files and messages, and existing output."""

import json
import os
import pty
import select
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.__main__ import main
from service.contract.inputs import Column, FeaturesInput
from service.inference.classifier import Classifier
from service.scoring.progress import Progress
from tests import tiny_features
from tests.service.scoring.files import command, embeddings, fixed_size_binary, fixed_size_list, score, start, write
from training.data.encoders import FeatureEncoder
from training.publishing.model import Model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = embeddings(1000)
    columns = {"id": list(range(1000)), "x": fixed_size_list(rows), "tags": [["a", "b"]] * 1000}
    return write(tmp_path / "in.parquet", columns, group=300)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


def test_output(file: Path, out: Path, embedding_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(embedding_model, file, out, "--threshold", "0.5") == 0
    table = pq.read_table(out)
    assert table.column_names == ["id", "tags", "decision", "label", "reason", "confidence", "ood_score"]
    assert table["id"].to_pylist() == list(range(1000))
    answered = table["decision"].to_pylist().count("answer")
    output = capsys.readouterr().out
    assert output.startswith("1,000 rows in ")
    assert output.endswith(f" rows/s; {answered / 10:.1f} % of 1,000 rows answered: {out}\n")
    assert 0 < answered < 1000
    assert {path.name for path in out.parent.iterdir()} == {"in.parquet", "out.parquet"}


def test_metadata_of_the_output(file: Path, out: Path, embedding_model: Path) -> None:
    assert score(embedding_model, file, out, "--selective-risk", "0.1", "--column", "x") == 0
    result = json.loads(pq.read_schema(out).metadata[b"demur.scores"])
    classifier = Classifier.load(embedding_model)
    assert result["model"] == {"name": "tiny", "version": classifier.version}
    policy = {"kind": "selective_risk", "selective_risk": 0.1, "confidence_level": 0.95, "threshold": 0.8}
    assert result["policy"] == policy
    assert result["input"]["name"] == "in.parquet"


def test_two_columns_fit_and_one_is_named(tmp_path: Path, out: Path, embedding_model: Path) -> None:
    rows = embeddings(10)
    file = write(tmp_path / "in.parquet", {"x": fixed_size_list(rows), "y": fixed_size_binary(rows[::-1].copy())})
    assert score(embedding_model, file, out, "--column", "y") == 0
    assert pq.read_schema(out).names[0] == "x"
    assert score(embedding_model, file, tmp_path / "x.parquet", "--column", "x") == 0
    confidence = [pq.read_table(path)["confidence"].to_pylist() for path in (out, tmp_path / "x.parquet")]
    assert confidence[0] == confidence[1][::-1]


def test_nothing_to_do_for_finished_output(
    file: Path, out: Path, embedding_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(embedding_model, file, out) == 0
    before = out.stat()
    capsys.readouterr()
    assert score(embedding_model, file, out) == 0
    assert capsys.readouterr().out == f"nothing to do, 100.0 % of 1,000 rows answered: {out}\n"
    assert out.stat() == before


def test_output_of_another_job_is_replaced_only_with_overwrite(
    file: Path, out: Path, embedding_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(embedding_model, file, out) == 0
    before = out.read_bytes()
    assert score(embedding_model, file, out, "--threshold", "0.5") == 1
    message = capsys.readouterr().err
    assert message == f"demur: {out} already exists, from another policy: name another file, or add --overwrite\n"
    assert out.read_bytes() == before
    assert score(embedding_model, file, out, "--threshold", "0.5", "--overwrite") == 0
    assert "abstain" in pq.read_table(out)["decision"].to_pylist()
    write(file, {"x": fixed_size_list(embeddings(7))})
    assert score(embedding_model, file, out, "--threshold", "0.5") == 1
    assert "from another input: name" in capsys.readouterr().err


def test_unrelated_output_file(
    file: Path, out: Path, embedding_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(out, {"id": [1]})
    assert score(embedding_model, file, out) == 1
    assert capsys.readouterr().err.startswith(f"demur: {out} already exists, from other data: name")
    assert score(embedding_model, file, out, "--overwrite") == 0
    assert pq.read_metadata(out).num_rows == 1000


def test_folder(tmp_path: Path, embedding_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in", tmp_path / "made" / "out"
    source.mkdir()
    rows = embeddings(30)
    for i, name in enumerate(("b", "a", "c")):
        write(source / f"{name}.parquet", {"id": list(range(10)), "x": fixed_size_list(rows[10 * i : 10 * i + 10])})
    write(source / "empty.parquet", {"id": pa.array([], pa.int64()), "x": fixed_size_list(rows[:0])})
    (source / "notes.txt").write_text("no Parquet")
    assert score(embedding_model, source, target) == 0
    assert {path.name for path in target.iterdir()} == {"a.parquet", "b.parquet", "c.parquet", "empty.parquet"}
    assert pq.read_table(target)["id"].to_pylist() == list(range(10)) * 3
    assert capsys.readouterr().out.startswith("30 rows in ")

    # A half-finished folder: existing outputs stay, missing ones are made.
    (target / "b.parquet").unlink()
    before = (target / "a.parquet").stat()
    assert score(embedding_model, source, target) == 0
    assert ", 20 were there; 100.0 % of 30 rows answered" in capsys.readouterr().out
    assert (target / "a.parquet").stat() == before
    assert (target / "b.parquet").exists()


def test_setting_names_the_model_and_the_policy(
    file: Path, out: Path, embedding_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMUR_MODEL_PATH", str(embedding_model))
    monkeypatch.setenv("DEMUR_DEFAULT_POLICY", '{"threshold": 1}')
    assert main(["score", str(file), str(out)]) == 3
    assert set(pq.read_table(out)["reason"].to_pylist()) == {"low_confidence"}


@pytest.mark.parametrize(
    ("policy", "reasons", "certified"),
    [
        (
            ["--selective-risk", "0.01"],
            "selective_risk=0.01: 1,000 no_certified_threshold (the policy could not be certified)",
            "--selective-risk 0.1 or --reject-cost 0.2",
        ),
        (
            ["--reject-cost", "0.2"],
            "reject_cost=0.2: 1,000 expected_cost (an answer is expected to cost more than the policy allows)",
            "--selective-risk 0.1",
        ),
    ],
)
def test_no_row_is_answered(
    tmp_path: Path,
    out: Path,
    embedding_model: Path,
    policy: list[str],
    reasons: str,
    certified: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The status and the last line say so, now and again, and another policy on that line gives answers."""
    file = write(tmp_path / "in.parquet", {"x": fixed_size_list(np.zeros((1000, 2), np.float32))})  # no label is likely
    for beginning in ("1,000 rows in ", "nothing to do, 0.0 % "):
        assert score(embedding_model, file, out, *policy) == 3
        printed = capsys.readouterr()
        assert printed.out.startswith(beginning)
        assert printed.err.splitlines()[-1] == (
            f"demur: none of the 1,000 rows is answered under {reasons}. Give another policy that this model is "
            f"certified for, {certified}, or --never-abstain, which promises nothing; add --overwrite"
        )
    assert score(embedding_model, file, out, "--never-abstain", "--overwrite") == 0


def test_columns_with_the_names_of_answers(
    tmp_path: Path, out: Path, embedding_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labelled rows are scored like any others, and keep their true labels beside the answers."""
    labels = [f"true {i}" for i in range(10)]
    columns = {"label": labels, "x": fixed_size_list(embeddings(10)), "reason": labels, "input_reason": labels}
    file = write(tmp_path / "in.parquet", columns)
    assert score(embedding_model, file, out, "--threshold", "0.5") == 0
    table = pq.read_table(out)
    kept, answers = ["input_label", "input_input_reason", "input_reason"], table.column_names[3:]
    assert table.column_names == [*kept, "decision", "label", "reason", "confidence", "ood_score"]
    assert answers[1:3] == ["label", "reason"]
    for name in kept:
        assert table[name].to_pylist() == labels
    assert not set(table["label"].to_pylist()) & set(labels)
    assert f"demur: {file}: its column 'label' is written as 'input_label', since" in capsys.readouterr().err


def test_feature_called_label(tmp_path: Path, out: Path) -> None:
    columns = [Column(name="label"), Column(name="decision", categories=["f", "m"]), Column(name="mass")]
    kind = FeaturesInput(width=3, columns=columns)
    encoder = FeatureEncoder(kind, np.array([40.0, 70.0]), np.array([10.0, 20.0]))
    model = Model(encoder, tiny_features.TABLE, 1.0, tiny_features.components(4))
    path = tiny_features.write(tmp_path, model, tiny_features.ROWS)
    file = write(tmp_path / "in.parquet", {"label": [50, 40], "decision": ["f", "m"], "mass": [70, 70]})
    assert score(path, file, out) == 0
    table = pq.read_table(out)
    assert table.column_names == ["decision", "label", "reason", "confidence", "ood_score", "unknown_categories"]
    assert table["label"].to_pylist() == ["left", "right"]


def test_any_threads_and_batches_give_the_same_rows(tmp_path: Path, file: Path, embedding_model: Path) -> None:
    result = []
    for i, (threads, rows) in enumerate([(1, 1000), (3, 10), (8, 299)]):
        out = tmp_path / f"out-{i}.parquet"
        arguments = ["--threads", str(threads), "--batch-size", str(rows)]
        assert score(embedding_model, file, out, *arguments) == 0
        result.append(pq.read_table(out).drop_columns(["confidence", "ood_score"]))
    assert result[0] == result[1] == result[2]


def test_progress_line_is_overwritten_and_removed() -> None:
    parent, child = pty.openpty()
    with os.fdopen(child, "w") as terminal:
        progress = Progress(terminal, 1_000_000)
        progress.skip(250_000)
        deadline = time.monotonic() + 10
        while not select.select([parent], [], [], 0)[0] and time.monotonic() < deadline:
            progress.add(0)
        progress.clear()
        output = ""
        while not output.endswith(" \r") and select.select([parent], [], [], 10)[0]:
            output += os.read(parent, 10_000).decode()
    os.close(parent)
    assert output.startswith("\r250,000 of 1,000,000 rows, 25 %, 0 rows/s")
    assert output.endswith(" \r")
    assert "\n" not in output


def test_without_pyarrow_the_message_names_the_extra(tmp_path: Path, embedding_model: Path, file: Path) -> None:
    # An import finds this before the installed package, and fails as if pyarrow were missing.
    (tmp_path / "pyarrow.py").write_text("raise ModuleNotFoundError(\"No module named 'pyarrow'\", name='pyarrow')")
    arguments = command(embedding_model, file, tmp_path / "out.parquet")
    without = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from service.__main__ import main; "
    process = start([arguments[0], "-c", f"{without}sys.exit(main({arguments[3:]!r}))"])
    _, message = process.communicate(timeout=60)
    assert (process.returncode, message) == (1, "demur: score needs pyarrow: pip install '.[serve,score]'\n")


def test_columns_of_any_type_are_kept(tmp_path: Path, out: Path, embedding_model: Path) -> None:
    rows = embeddings(300)
    words = [f"word {i % 40}" for i in range(300)]
    columns = {
        "x": fixed_size_binary(rows),
        "category": pa.array(words).dictionary_encode(),
        "struct": pa.array([{"a": i, "b": [str(i)]} for i in range(300)]),
        "when": pa.array(range(300), pa.timestamp("us", "UTC")),
        "decimal": pa.array(range(300)).cast(pa.decimal128(30, 2)),
        "nothing": pa.nulls(300),
        "map": pa.array([[(str(i), i)] for i in range(300)], pa.map_(pa.string(), pa.int32())),
        "gaps": pa.array([None if i % 3 else i for i in range(300)]),
        "large": pa.array(words, pa.large_string()),
        "tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(embeddings(300, 3)),
    }
    file = write(tmp_path / "in.parquet", columns, group=70)
    assert score(embedding_model, file, out, "--column", "x", "--batch-size", "16") == 0
    expected, result = pq.read_table(file), pq.read_table(out)
    for name in expected.column_names[1:]:
        assert result[name].type == expected[name].type
        assert result[name].to_pylist() == expected[name].to_pylist()
