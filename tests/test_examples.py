"""The worked examples of docs/examples, run as written: describe, fit, serve, ask. They train models.

Data and splits depend only on a seed, so the output of `describe` must be equal to the letter. Trained weights may
differ: another processor adds in another order, and the epoch of the lowest tune loss may be the next one. A patient
or two near a threshold may then get another decision. So probabilities, thresholds and shares are compared within the
tolerances of the README's own test, and counts within a few examples. Decisions, labels, reasons and the certified
promises must be equal.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.documents import blocks
from tests.server import ROOT, Server, command_environment, serving
from training.data.opening import open_data
from training.data.options import DataOptions

pytestmark = pytest.mark.process

EXAMPLES = ROOT / "docs" / "examples"
COUNT = 4  # examples whose decision may differ


@dataclass(frozen=True)
class Example:
    """One document, the output of its commands, and a service with their model."""

    text: str
    folder: Path  # where the commands ran
    described: str
    fitted: str
    server: Server

    def blocks(self, language: str) -> list[str]:
        return blocks(self.text, language)

    def get(self, path: str) -> Any:
        return httpx2.get(f"{self.server.address}{path}").json()

    def curls(self) -> list[Any]:
        """The answers to the document's curl commands, run by bash."""
        commands = [block.strip() for block in self.blocks("sh") if block.startswith("curl ")]
        local = [command.replace("http://127.0.0.1:8000", self.server.address) for command in commands]
        assert all(self.server.address in command for command in local)
        return [json.loads(_bash(f"{command} --silent", self.folder)) for command in local]

    def table(self, first: str) -> list[list[str]]:
        """The cells of the document's table whose header begins with `first`, without its two header lines."""
        (lines,) = re.findall(rf"^\| {first} \|.*\n\|---.*\n((?:\|.*\n)+)", self.text, re.MULTILINE)
        return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines.splitlines()]


@pytest.fixture(scope="module")
def cancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    with _worked("cancer", tmp_path_factory.mktemp("cancer")) as example:
        yield example


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    with _worked("digits", tmp_path_factory.mktemp("digits")) as example:
        yield example


@pytest.fixture(params=["cancer", "digits"])
def example(request: pytest.FixtureRequest) -> Example:
    chosen: Example = request.getfixturevalue(request.param)
    return chosen


def test_describe_prints_the_documented_output(example: Example) -> None:
    expected = example.blocks("text")[0].splitlines()
    assert [line for line in expected if line != "..." and line not in example.described.splitlines()] == []


def test_fit_prints_the_documented_operating_points(example: Example) -> None:
    expected, actual = _operating_points(example.blocks("text")[1]), _operating_points(example.fitted)
    assert list(expected) == list(actual)
    for name, words in expected.items():
        assert [word for word in words if not _is_number(word)] == [
            word for word in actual[name] if not _is_number(word)
        ]
        for i, word in enumerate(words):
            if _is_number(word):
                tolerance = 4 if words[i + 1 : i + 2] == ["%"] else 0.05
                assert float(word) == pytest.approx(float(actual[name][i]), abs=tolerance), name


def test_fit_prints_the_documented_warnings(example: Example) -> None:
    def warnings(text: str) -> list[str]:
        return re.findall(r"^warning: (.*)$", text, re.MULTILINE)

    assert warnings(example.blocks("text")[1]) == warnings(example.fitted)


def test_curl_gets_the_documented_answers(example: Example) -> None:
    documented = [json.loads(block) for block in example.blocks("json") if '"predictions"' in block]
    responses = example.curls()
    assert len(documented) == len(responses) == 2
    for expected, response in zip(documented, responses, strict=True):
        assert re.fullmatch(r"[0-9a-f]{12}", expected["model"].pop("version"))  # of the bytes, which include the time
        response["model"].pop("version")
        for name in ("threshold", "answer_cost_bound"):
            assert expected["policy"].pop(name, None) == pytest.approx(response["policy"].pop(name, None), abs=0.05)
        assert {**expected, "predictions": None} == {**response, "predictions": None}
        for expected_prediction, prediction in zip(expected["predictions"], response["predictions"], strict=True):
            assert set(expected_prediction) == set(prediction)
            for name in ("decision", "label", "reason", "prediction_set"):
                assert expected_prediction[name] == prediction[name]
            assert [entry["label"] for entry in expected_prediction["top_k"]] == [
                entry["label"] for entry in prediction["top_k"]
            ]
            assert expected_prediction["probabilities"] == pytest.approx(prediction["probabilities"], abs=0.05)


def test_patients_are_rows_of_the_table(cancer: Example) -> None:
    header, *lines = [line.split(",") for line in (cancer.folder / "build" / "cancer.csv").read_text().splitlines()]
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    by_risk, by_cost = (
        json.loads((EXAMPLES / f"{name}.json").read_text()) for name in ("patients", "patients-by-cost")
    )
    assert by_risk["inputs"] == by_cost["inputs"]
    measurements = [{name: float(value) for name, value in row.items() if name != "diagnosis"} for row in rows]
    diagnoses = [rows[measurements.index(patient)]["diagnosis"] for patient in by_risk["inputs"]]
    assert diagnoses == ["malignant", "benign"]


def test_cost_matrix_is_documented(cancer: Example) -> None:
    assert json.loads(cancer.blocks("json")[0]) == json.loads((EXAMPLES / "cancer-costs.json").read_text())


def test_cancer_certificates_are_the_documented_ones(cancer: Example) -> None:
    manifest = cancer.get("/model")
    certificates = manifest["abstention"]["selective_risk"] + manifest["abstention"]["reject_cost"]
    rows = cancer.table("promise")
    names = [
        f"`{kind}={certificate[kind]}`"
        for certificate in certificates
        for kind in ("selective_risk", "reject_cost")
        if kind in certificate
    ]
    assert [row[0] for row in rows] == names
    for (_, answered, referred, observed, bound, status), certificate in zip(rows, certificates, strict=True):
        assert status == certificate["status"]
        if not answered:
            assert certificate["answered"] is None
            continue
        assert int(answered) + int(referred) == certificate["size"] == 199
        assert int(answered) == pytest.approx(certificate["answered"], abs=COUNT)
        if "reject_cost" in certificate:
            assert _number(observed) == pytest.approx(certificate["answer_cost"], abs=0.05)
            assert _number(bound) == pytest.approx(certificate["answer_cost_bound"], abs=0.08)
        else:
            assert _number(observed) == pytest.approx(certificate["errors"], abs=2)
            assert _number(bound) == pytest.approx(100 * certificate["risk_bound"], abs=2)


def test_missed_cancers_of_each_policy_are_as_many_as_documented(cancer: Example) -> None:
    """The service decides on the report split in one request for each policy, and the test counts the costs."""
    inputs, labels = _report_split(cancer)
    assert (len(labels), labels.count("malignant")) == (114, 44)
    missed, referred = {}, {}
    for name, *cells in cancer.table("policy"):
        policy = name.split("`")[1]
        kind, _, value = policy.partition("=")
        body = {"inputs": inputs, "policy": {kind: float(value) if value else True}}
        answer = httpx2.post(f"{cancer.server.address}/predict", json=body).json()
        pairs = list(zip([one["label"] for one in answer["predictions"]], labels, strict=True))
        counts = [
            sum(label is None for label, _ in pairs),
            pairs.count(("benign", "malignant")),
            pairs.count(("malignant", "benign")),
        ]
        documented = [int(cell) for cell in cells[:3]]
        assert counts == pytest.approx(documented, abs=COUNT), policy
        by_hand = (0.8 * documented[0] + 20 * documented[1] + documented[2]) / len(labels)
        assert float(cells[3]) == pytest.approx(by_hand, abs=0.005)
        referred[kind], missed[kind] = counts[:2]
    # The document's conclusions hold for any outcome of the training.
    assert missed["reject_cost"] == 0 < missed["never_abstain"]
    assert missed["selective_risk"] > 0
    assert referred["never_abstain"] == 0 < referred["reject_cost"]


def test_digits_certificates_are_the_documented_ones(digits: Example) -> None:
    infeasible, *certified = digits.get("/model")["abstention"]["selective_risk"]
    assert (infeasible["selective_risk"], infeasible["status"]) == (0.01, "infeasible")
    rows = digits.table("promise")
    assert [row[0] for row in rows] == [f"`selective_risk={one['selective_risk']}`" for one in certified]
    for (_, answered, errors, bound), certificate in zip(rows, certified, strict=True):
        assert (certificate["status"], certificate["size"]) == ("certified", 449)
        assert int(answered) == pytest.approx(certificate["answered"], abs=3 * COUNT)
        assert int(errors) == pytest.approx(certificate["errors"], abs=COUNT)
        assert _number(bound) == pytest.approx(100 * certificate["risk_bound"], abs=1)


def test_digit_that_no_promise_covers_is_not_answered(digits: Example) -> None:
    picture = (digits.folder / "build" / "digits" / "6" / "0164.png").read_bytes()
    url = f"{digits.server.address}/predict?selective_risk=0.01"
    answer = httpx2.post(url, content=picture, headers={"content-type": "image/png"}).json()
    assert answer["predictions"][0]["reason"] == "no_certified_threshold"


@contextmanager
def _worked(name: str, folder: Path) -> Iterator[Example]:
    """Run the document's commands in `folder`, with its paths in this checkout, and serve the model."""
    text = (EXAMPLES / f"{name}.md").read_text()
    (folder / "docs").symlink_to(ROOT / "docs")
    prepare, fit, serve, *_ = blocks(text, "sh")
    described, fitted = _bash(prepare, folder), _bash(fit, folder)
    *command, model = shlex.split(serve)
    assert command == ["demur", "serve"]
    with serving(folder / model) as server:
        yield Example(text, folder, described, fitted, server)


def _bash(command: str, folder: Path) -> str:
    """The output of a shell block, with this Python instead of that of the checkout's virtual environment."""
    environment = command_environment(PYTHONPATH=str(ROOT))
    script = command.replace(".venv/bin/python", shlex.quote(sys.executable))
    script = re.sub(r"^demur ", f"{shlex.quote(sys.executable)} -m demur ", script, flags=re.MULTILINE)
    result = subprocess.run(["bash", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def _operating_points(text: str) -> dict[str, list[str]]:
    """The words of each row of the table that the training prints, by policy."""
    rows = re.findall(r"^((?:selective_risk|reject_cost) [0-9.]+(?: \(default\))?|never_abstain)  +(.*)$", text, re.M)
    return {name: rest.split() for name, rest in rows}


def _is_number(word: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", word) is not None


def _number(text: str) -> float:
    """The one number in a cell such as `3.3 % wrong`."""
    (number,) = re.findall(r"\d+(?:\.\d+)?", text)
    return float(number)


def _report_split(cancer: Example) -> tuple[list[list[float]], list[str]]:
    """The patients of the report split, and their diagnoses."""
    options = DataOptions(
        cancer.folder / "build" / "cancer.csv", label_column="diagnosis", split_shares=(0.35, 0.1, 0.35, 0.2)
    )
    opened = open_data(options)
    assert opened.pool is not None
    part = opened.pool.parts(0)["report"]
    assert part.fingerprint() == cancer.get("/model")["data"]["splits"]["report"]["fingerprint"]
    names = cancer.get("/model")["labels"]
    return part.inputs.tolist(), [names[label] for label in part.labels]
