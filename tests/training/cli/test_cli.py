"""`python -m training` from a user's command line."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from service.inference.classifier import Classifier
from tests.server import ROOT
from training.__main__ import main

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options for a small data set of two classes that overlap."""
    folder = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    np.save(folder / "x.npy", (rng.normal(size=(4000, 4)) + labels[:, None]).astype(np.float32))
    np.save(folder / "y.npy", labels)
    return ["--data", str(folder / "x.npy"), "--labels", str(folder / "y.npy")]


def _fit(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-W", "error", "-m", "training", "fit", "--epochs", "1", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_fit_twice_gives_the_same_file_and_a_report(tmp_path: Path, data_folder: Path) -> None:
    files = [tmp_path / "first" / "model.onnx", tmp_path / "second" / "model.onnx"]
    for file, report in zip(files, ([], ["--report-dir", str(tmp_path / "report")]), strict=True):
        done = _fit("--data-dir", str(data_folder), "--out", str(file), *report)
        assert done.returncode == 0, done.stderr
    assert files[0].read_bytes() == files[1].read_bytes()

    version = Classifier.load(files[0]).version
    summary, table, *warnings = done.stdout.split("\n\n")
    assert [line.split()[0] for line in summary.splitlines()] == [
        "recipe",
        "fit",
        "train",
        "tune",
        "report",
        "proof",
        "model",
    ]
    assert [line.split()[0] for line in table.splitlines()[2:]] == [
        *["selective_risk"] * 5,
        *["reject_cost"] * 3,
        "never_abstain",
        "Each",
    ]
    assert all(warning.startswith("warning: ") for warning in warnings)
    assert f"is fashion-mnist {version}," in done.stdout
    assert done.stderr.startswith("epoch 1/1: train loss ")
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())["model"]["version"] == version
    assert (tmp_path / "report" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert f"<code>{version}</code>" in (tmp_path / "report" / "report.html").read_text()


def test_other_seed_gives_another_file(tmp_path: Path, small: list[str]) -> None:
    for seed in "01":
        assert main(["fit", "--epochs", "1", *small, "--seed", seed, "--out", str(tmp_path / seed)]) == 0
    assert (tmp_path / "0").read_bytes() != (tmp_path / "1").read_bytes()


def test_options_override_the_recipe(tmp_path: Path, data_folder: Path) -> None:
    out = tmp_path / "model.onnx"
    options = "--recipe chapter --epochs 1 --batch-size 500 --learning-rate 0.05 --momentum 0.5 --weight-decay 1e-4 "
    options += "--schedule cosine --clip-norm 2 --keep best --seed 3 --device cpu --precision float64"
    assert main(["fit", "--data-dir", str(data_folder), "--out", str(out), *options.split()]) == 0
    assert Classifier.load(out).manifest.training.model_dump() == {
        "recipe": "chapter",
        "optimizer": "sgd",
        "epochs": 1,
        "batch_size": 500,
        "learning_rate": 0.05,
        "momentum": 0.5,
        "weight_decay": 1e-4,
        "schedule": "cosine",
        "clip_norm": 2.0,
        "keep": "best",
        "lift": 0,
        "augment": "none",
        "seed": 3,
        "device": "cpu",
        "precision": "float64",
        "processes": 1,
        "best_epoch": 1,
        "selection": None,
    }


def test_missing_data_are_reported_in_one_line(tmp_path: Path) -> None:
    done = _fit("--data-dir", str(tmp_path / "nowhere"), "--out", str(tmp_path / "model.onnx"))
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"demur: {tmp_path}/nowhere/train-images-idx3-ubyte.gz is missing. Get the data by ")
    assert not (tmp_path / "model.onnx").exists()


def test_missed_accuracy_gate_fails_the_command(tmp_path: Path, small: list[str]) -> None:
    out = tmp_path / "model.onnx"
    done = _fit(*small, "--out", str(out), "--min-accuracy", "0.99")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("is under --min-accuracy 0.99: nothing was published")
    assert not out.exists()


def test_checkpoint_outlives_a_fit_that_is_not_published(
    tmp_path: Path, small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The model can be published under another accuracy gate without a new fit. Then the checkpoint is removed."""
    out, checkpoint = tmp_path / "model.onnx", tmp_path / "fit.checkpoint"
    command = ["fit", "--epochs", "1", *small, "--out", str(out), "--checkpoint", str(checkpoint)]
    assert main([*command, "--min-accuracy", "0.99"]) == 1
    assert "is under --min-accuracy 0.99: nothing was published" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [checkpoint]

    written = checkpoint.stat().st_mtime_ns
    assert main([*command, "--seed", "1"]) == 1
    stderr = capsys.readouterr().err
    assert stderr.startswith(f"demur: the checkpoint {checkpoint} belongs to another fit (seed 0 in the file, ")
    assert main([*command, "--min-accuracy", "0.99"]) == 1
    assert checkpoint.stat().st_mtime_ns == written  # not fitted again

    assert main([*command, "--resume"]) == 0
    assert list(tmp_path.iterdir()) == [out]
    capsys.readouterr()

    assert main([*command, "--resume"]) == 1  # published, so its checkpoint is removed
    assert capsys.readouterr().err == (
        f"demur: --resume: cannot read the checkpoint {checkpoint}: No such file or directory\n"
    )


def test_resume_requires_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--out", str(tmp_path / "model.onnx"), "--resume"]) == 1
    assert capsys.readouterr().err == "demur: --resume needs --checkpoint PATH\n"
    assert not list(tmp_path.iterdir())


def test_ctrl_c_prints_one_line(tmp_path: Path, data_folder: Path) -> None:
    command = [sys.executable, "-m", "training", "fit", "--epochs", "10000", "--data-dir", str(data_folder)]
    job = subprocess.Popen(
        [*command, "--out", str(tmp_path / "model.onnx")], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert job.stderr is not None
    assert job.stderr.readline().startswith("epoch 1/10000: ")
    job.send_signal(signal.SIGINT)
    _, stderr = job.communicate(timeout=20)
    assert job.returncode == 130
    assert stderr.splitlines()[-1] == "demur: interrupted"
    assert "Traceback" not in stderr
    assert list(tmp_path.iterdir()) == []


def test_model_that_is_sure_and_wrong_is_published_with_a_finite_loss(tmp_path: Path, data_folder: Path) -> None:
    """At this rate float32 rounds the probability of many true labels to 0."""
    out = tmp_path / "model.onnx"
    done = _fit("--data-dir", str(data_folder), "--out", str(out), "--learning-rate", "10")
    assert done.returncode == 0, done.stderr
    metrics = Classifier.load(out).manifest.metrics
    assert 1 < metrics.before_temperature.nll < 1000
    assert metrics.nll < 1  # the temperature has made it less sure


@pytest.mark.parametrize("option", ["--out", "--report-dir"])
def test_unwritable_place_is_reported_before_the_fit(
    tmp_path: Path, data_folder: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    paths = {"--out": str(tmp_path / "model.onnx"), option: str(tmp_path / "file" / "model.onnx")}
    command = ["fit", "--data-dir", str(data_folder), *(word for pair in paths.items() for word in pair)]
    assert main(command) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"demur: cannot make the folder {tmp_path / 'file'}")
    assert not (tmp_path / "model.onnx").exists()


def test_if_missing_leaves_a_sound_model_and_replaces_another(
    tmp_path: Path, tiny_model: Path, data_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.onnx"
    command = ["fit", "--epochs", "1", "--data-dir", str(data_folder), "--out", str(out), "--if-missing"]
    out.write_bytes(tiny_model.read_bytes())
    assert main(command) == 0
    assert "exists already" in capsys.readouterr().out
    assert out.read_bytes() == tiny_model.read_bytes()

    out.write_bytes(b"broken")
    assert main(command) == 0
    assert "training anew: " in capsys.readouterr().err
    assert Classifier.load(out).manifest.name == "fashion-mnist"


def test_fetch_prints_the_folder(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEMUR_DATA_DIR", str(data_folder))
    assert main(["fetch"]) == 0
    assert capsys.readouterr().out == f"{data_folder}\n"


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("--epochs", "0", "a whole number from 1"),
        ("--epochs", "1.5", "a whole number from 1"),
        ("--batch-size", "-1", "a whole number from 1"),
        ("--learning-rate", "0", "a number over 0"),
        ("--learning-rate", "nan", "a number over 0"),
        ("--learning-rate", "inf", "a number over 0"),
        ("--momentum", "1", "a number from 0 to under 1"),
        ("--weight-decay", "-0.1", "a number from 0"),
        ("--clip-norm", "0", "a number over 0"),
        ("--seed", "-1", "a whole number from 0 to 2^63 - 1"),
        ("--seed", str(2**63), "a whole number from 0 to 2^63 - 1"),
        ("--min-accuracy", "84", "a number from 0 to 1"),
    ],
)
def test_invalid_value_is_named_with_its_rule(
    option: str, value: str, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["fit", f"{option}={value}"])
    assert stopped.value.code == 2
    assert f"argument {option}: '{value}' is not {rule}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["fit", "--recipe", "best"], ["fit", "--epoch", "1"], ["train"], ["evaluate"], []]
)
def test_unknown_arguments_are_rejected(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


@pytest.mark.parametrize("command", ["fit", "fetch", "evaluate"])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert "--data-dir" in capsys.readouterr().out
