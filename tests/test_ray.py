"""The job in deploy/ray, run for real on a Ray of this machine with two workers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import tiny_features
from tests.server import ROOT, command_environment
from tests.service.scoring.files import embeddings, fixed_size_binary, fixed_size_list, score, write

pytestmark = pytest.mark.slow


def _on_ray(model: Path, source: Path, target: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy.ray.score", "--model", str(model), str(source), str(target), *arguments]
    environment = {name: value for name, value in command_environment().items() if name != "RAY_ADDRESS"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


def _inputs(folder: Path) -> pa.Table:
    """Write six files, enough blocks for both workers. Returns their content in the order of the rows."""
    folder.mkdir()
    rows = embeddings(6000)
    for i in range(6):
        part = rows[1000 * i : 1000 * i + 1000]
        columns = {"id": list(range(1000 * i, 1000 * i + 1000)), "x": fixed_size_list(part)}
        write(folder / f"{i}.parquet", columns, group=300)
    return pa.table({"id": list(range(6000)), "x": fixed_size_list(rows)})


def test_every_row_equals_that_of_the_command(tmp_path: Path) -> None:
    model = tiny_features.write_embedding(tmp_path)
    everything = _inputs(tmp_path / "in")
    options = ("--threshold", "0.6", "--probabilities")
    result = _on_ray(model, tmp_path / "in", tmp_path / "ray", *options, "--batch-size", "250")
    assert result.returncode == 0, result.stderr
    pq.write_table(everything, tmp_path / "in.parquet")
    assert score(model, tmp_path / "in.parquet", tmp_path / "out.parquet", *options) == 0

    expected, rows = pq.read_table(tmp_path / "out.parquet"), pq.read_table(tmp_path / "ray").sort_by("id")
    assert rows.column_names == expected.column_names
    for name in ("id", "decision", "label", "reason"):
        assert rows[name].to_pylist() == expected[name].to_pylist()
    assert set(rows["decision"].to_pylist()) == {"answer", "abstain"}
    for name in ("confidence", "ood_score"):
        np.testing.assert_allclose(rows[name].to_numpy(), expected[name].to_numpy(), atol=1e-6)
    by_ray, by_command = (np.array(table["probabilities"].to_pylist()) for table in (rows, expected))
    np.testing.assert_allclose(by_ray, by_command, atol=1e-6)


def test_wrong_value_is_one_line_and_leaves_no_output(tmp_path: Path) -> None:
    model = tiny_features.write_embedding(tmp_path)
    rows = embeddings(50)
    rows[31, 1] = np.nan
    file, out = write(tmp_path / "in.parquet", {"x": fixed_size_binary(rows)}), tmp_path / "out"
    failed = _on_ray(model, file, out)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("demur: in a batch of 50 rows: row 31: x[1] is nan: it must be")
    assert "Traceback" not in failed.stderr.splitlines()[-1]
    write(file, {"x": fixed_size_binary(embeddings(50))})
    assert _on_ray(model, file, out).returncode == 0
    again = _on_ray(model, file, out)
    assert again.returncode == 1
    assert again.stderr == f"demur: {out} already exists: name another folder\n"
