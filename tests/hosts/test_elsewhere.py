"""The same file in the oldest onnxruntime, and in onnxruntime-web in Node and a browser: all decide alike."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from service.contract.policy import PolicyRequest
from service.inference.classifier import Classifier, Scores
from service.inference.decision import decide, resolve
from tests import lifted, tiny, tiny_features, tiny_tokens
from tests.hosts.browser import posted_by
from tests.server import ROOT
from training.data.dataset import Dataset
from training.data.splits import split

pytestmark = pytest.mark.hosts

HOSTS = ROOT / "build" / "hosts"
HERE = Path(__file__).parent
TOLERANCE = 1e-6  # the tolerance of the proof when a model is loaded


class HostOutput(NamedTuple):
    """A host's decisions and scores."""

    report: dict[str, Any]
    scores: Scores


def _run(command: list[str | Path], **variables: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def _oldest(model: Path, inputs: NDArray[Any], folder: Path) -> HostOutput:
    np.save(folder / "inputs.npy", inputs)
    python = HOSTS / "oldest" / "bin" / "python"
    _run([python, HERE / "alone.py", model, folder / "inputs.npy", folder / "oldest"])
    return _read(folder / "oldest", len(inputs))


def _web(model: Path, inputs: NDArray[Any], folder: Path) -> HostOutput:
    (folder / "inputs").write_bytes(inputs.tobytes())
    _run(["node", HERE / "web.mjs", model, folder / "inputs", folder / "web"], HOSTS_WEB=str(HOSTS / "web"))
    return _read(folder / "web", len(inputs))


def _browser(model: Path, inputs: NDArray[Any], folder: Path) -> HostOutput:
    (folder / "inputs").write_bytes(inputs.tobytes())
    files = {"/model.onnx": model, "/inputs": folder / "inputs"}
    posted = posted_by("/tests/hosts/page.html", files, "/json", folder)
    assert "error" not in json.loads(posted["/json"]), json.loads(posted["/json"])["error"]
    (folder / "browser.json").write_bytes(posted["/json"])
    (folder / "browser.f32").write_bytes(posted["/f32"])
    return _read(folder / "browser", len(inputs))


def _read(out: Path, count: int) -> HostOutput:
    numbers = np.frombuffer(out.with_suffix(".f32").read_bytes(), np.float32)
    scores = Scores(numbers[: -2 * count].reshape(count, -1), numbers[-2 * count : -count], numbers[-count:])
    return HostOutput(json.loads(out.with_suffix(".json").read_text()), scores)


def _check_scores(output: HostOutput, scores: Scores) -> None:
    probability, ood_score = output.scores.distance(scores.probabilities, scores.ood_score)
    hosts = f"{output.report['host']} and onnxruntime {ort.__version__}"
    sys.stdout.write(f"{hosts}: {len(scores.confidence)} inputs, {probability=:.1e}, {ood_score=:.1e}\n")
    assert probability <= TOLERANCE
    assert ood_score <= TOLERANCE
    np.testing.assert_array_equal(output.scores.confidence, output.scores.probabilities.max(axis=1))


def _report(dataset: Dataset) -> NDArray[Any]:
    inputs = split(dataset, "tuned", 0).report.inputs
    assert len(inputs) == 5000
    return inputs


def test_oldest_onnxruntime_decides_alike_on_the_report_split(
    trained_model: Path, dataset: Dataset, tmp_path: Path
) -> None:
    inputs, classifier = _report(dataset), Classifier.load(trained_model)
    output, scores = _oldest(trained_model, inputs, tmp_path), classifier.scores(inputs)
    version = tuple(int(part) for part in output.report["host"].split()[1].split(".")[:2])
    assert version < tuple(int(part) for part in ort.__version__.split(".")[:2])
    _check_scores(output, scores)
    manifest = classifier.manifest
    assert len(output.report["labels"]) == 5
    for risk, labels in output.report["labels"].items():
        policy = resolve(PolicyRequest(selective_risk=float(risk)), manifest.abstention)
        decided = [d.label for d in decide(scores, policy, manifest.abstention)]
        assert labels == [None if label is None else manifest.labels[label] for label in decided]
        assert 1000 < sum(label is not None for label in labels) < len(labels)


def _check_outcomes(output: HostOutput, scores: Scores, classifier: Classifier) -> None:
    abstention, labels = classifier.manifest.abstention, classifier.manifest.labels
    for outcome in output.report["outcomes"]:
        policy = resolve(PolicyRequest.model_validate(outcome["policy"]), abstention)
        decisions = decide(scores, policy, abstention)
        expected = [[None if d.label is None else labels[d.label], d.reason] for d in decisions]
        assert outcome["decisions"] == expected, outcome["policy"]


@pytest.mark.parametrize("ask", [_web, _browser])
def test_onnxruntime_web_decides_alike_on_the_report_split(
    ask: Callable[[Path, NDArray[Any], Path], HostOutput], trained_model: Path, dataset: Dataset, tmp_path: Path
) -> None:
    inputs, classifier = _report(dataset), Classifier.load(trained_model)
    output, scores = ask(trained_model, inputs, tmp_path), classifier.scores(inputs)
    _check_scores(output, scores)
    _check_outcomes(output, scores, classifier)
    assert len(output.report["outcomes"]) >= 9
    reasons = {reason for outcome in output.report["outcomes"] for _, reason in outcome["decisions"]}
    assert reasons >= {None, "low_confidence", "out_of_distribution", "expected_cost"}
    assert "selective_risk=0.123 is not certified" in output.report["refused"][0]
    assert "a policy is one of" in output.report["refused"][1]


@pytest.mark.parametrize(
    ("write", "inputs"),
    [
        (tiny.write, tiny.IMAGES),
        (tiny_features.write_table, tiny_features.ROWS),
        (tiny_features.write_embedding, tiny_features.EMBEDDINGS),
        (tiny_tokens.write, tiny_tokens.TOKENS),
        (lifted.write, lifted.pictures(200)),
    ],
    ids=["image", "table", "embedding", "tokens", "lifted image"],
)
@pytest.mark.parametrize("ask", [_oldest, _web])
def test_every_kind_of_input(
    ask: Callable[[Path, NDArray[Any], Path], HostOutput],
    write: Callable[[Path], Path],
    inputs: NDArray[Any],
    tmp_path: Path,
) -> None:
    model = write(tmp_path)
    classifier = Classifier.load(model)
    output, scores = ask(model, inputs, tmp_path), classifier.scores(inputs)
    _check_scores(output, scores)
    if "outcomes" in output.report:
        _check_outcomes(output, scores, classifier)


def test_example_prints_the_documented_output(trained_model: Path) -> None:
    text = (ROOT / "docs" / "interoperability.md").read_text()
    (example,) = re.findall(r"^```js\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for documented, local in (("./deploy/", f"{ROOT}/deploy/"), ("build/model.onnx", str(trained_model))):
        assert documented in example
        example = example.replace(documented, local)
    script = HOSTS / "web" / "example.mjs"
    script.write_text(example)
    (expected,) = re.findall(r"^console\.log.* // (.*)$", example, re.MULTILINE)
    assert _run(["node", script]).strip() == expected
