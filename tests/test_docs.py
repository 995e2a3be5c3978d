"""The documents agree with the program: commands, answers, settings, numbers and links."""

import argparse
import ast
import inspect
import itertools
import json
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from torch.distributed.run import get_args_parser

from service.app import create_app
from service.http.access import command as access
from service.inference.classifier import Classifier
from service.scoring import arguments as scoring_arguments
from service.settings import Settings
from tests.server import serving
from tests.test_architecture import imports_within
from training.certification import cost_matrix
from training.cli import parser
from training.data.dataset import Dataset
from training.data.sources import fashion_mnist

RAW = "application/octet-stream"
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCS = ROOT / "docs"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
MAX_LINES = {"operations": 450, "reliability": 150, "abstention": 200, "architecture": 170}  # in lines
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*## ", MAKEFILE, re.MULTILINE))


@pytest.fixture(scope="module")
def client(trained_model: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(model_path=trained_model))) as client:
        yield client


def _blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _post(client: TestClient, command: str) -> dict[str, Any]:
    """Send the request of a document's `curl --data-binary @FILE -H HEADER URL`."""
    program, _, body, _, header, url = shlex.split(command)
    assert program == "curl"
    name, _, value = header.partition(": ")
    parts = urlsplit(url)
    content = (ROOT / body.removeprefix("@")).read_bytes()
    answer: dict[str, Any] = client.post(f"{parts.path}?{parts.query}", content=content, headers={name: value}).json()
    return answer


def test_readme_is_short_before_the_first_command() -> None:
    before, _, _ = README.partition("```")
    assert len(before.split()) <= 80
    assert len(README.split()) <= 900


@pytest.mark.parametrize(("name", "lines"), MAX_LINES.items())
def test_document_is_short_enough(name: str, lines: int) -> None:
    assert len((DOCS / f"{name}.md").read_text().splitlines()) <= lines


def test_readme_curl_gets_the_documented_answer(client: TestClient) -> None:
    command = next(block for block in _blocks("sh") if block.startswith("curl"))
    expected, answer = json.loads(_blocks("json")[0]), _post(client, command)
    # The version covers the time and the revision, and weights differ slightly between processors.
    assert re.fullmatch(r"[0-9a-f]{12}", expected["model"].pop("version"))
    assert re.fullmatch(r"[0-9a-f]{12}", answer["model"].pop("version"))
    (expected_prediction,), (prediction,) = expected.pop("predictions"), answer.pop("predictions")
    assert expected["policy"].pop("threshold") == pytest.approx(answer["policy"].pop("threshold"), abs=0.03)
    assert expected == answer
    assert set(expected_prediction) == set(prediction)
    for name in ("decision", "label", "reason", "prediction_set"):
        assert expected_prediction[name] == prediction[name]
    assert [entry["label"] for entry in expected_prediction["top_k"]] == [
        entry["label"] for entry in prediction["top_k"]
    ]
    assert expected_prediction["probabilities"] == pytest.approx(prediction["probabilities"], abs=0.05)
    assert expected_prediction["confidence"] == max(expected_prediction["probabilities"])


def test_readme_abstentions_have_the_documented_reasons(client: TestClient) -> None:
    block = [block for block in _blocks("sh") if block.startswith("curl")][1]
    answers = [_post(client, command)["predictions"][0] for command in block.splitlines()]
    assert [answer["label"] for answer in answers] == [None, None]
    reasons = [answer["reason"] for answer in answers]
    assert reasons == ["low_confidence", "out_of_distribution"]
    before, _, _ = README.partition(block)
    assert all(f"`{reason}`" in before for reason in reasons)


def test_documented_form_gets_an_answer_for_each_file(client: TestClient) -> None:
    command = next(block for block in _blocks("sh", (DOCS / "requests.md").read_text()) if block.startswith("curl -F"))
    program, *forms, url = shlex.split(command)
    assert (program, forms[::2]) == ("curl", ["-F"] * 2)
    pictures = [ROOT / form.removeprefix("file=@") for form in forms[1::2]]
    parts = urlsplit(url)
    sent = [("file", (path.name, path.read_bytes(), "image/png")) for path in pictures]
    predictions = client.post(f"{parts.path}?{parts.query}", files=sent).json()["predictions"]
    assert [len(prediction["top_k"]) for prediction in predictions] == [1, 1]
    assert [prediction["label"] for prediction in predictions] == ["Ankle boot", None]


def _example(heading: str, document: str = "operations") -> dict[str, Any]:
    """The JSON in the section of a document with this heading."""
    section = (DOCS / f"{document}.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    (block,) = _blocks("json", section)
    example: dict[str, Any] = json.loads(block)
    return example


def test_documented_log_line_is_real(trained_model: Path) -> None:
    example = _example("Logs and traces")
    trace = {"traceparent": f"00-{example['trace_id']}-00f067aa0ba902b7-01"}
    with serving(trained_model) as server:
        httpx2.post(f"{server.address}/predict", content=bytes(3 * 784), headers={"content-type": RAW, **trace})
        assert server.stop(signal.SIGTERM) == 0
        logged = json.loads(next(line for line in server.log() if example["request_id"] in line))
    assert list(logged) == list(example)
    changing = {"time": 0, "seconds": 0, "version": 0, "decisions": 0}
    assert {**logged, **changing} == {**example, **changing}


def test_documented_drift_is_that_of_its_images(client: TestClient, dataset: Dataset) -> None:
    documented = _example("Monitoring promises")
    left_out = [dataset.classes.index(name) for name in ("Shirt", "Coat")]
    images = dataset.test.inputs[~np.isin(dataset.test.labels, left_out)]
    with TestClient(create_app(client.app.state.settings)) as fresh:  # type: ignore[attr-defined]
        for start in range(0, len(images), 1000):
            body = images[start : start + 1000].tobytes()
            answer = fresh.post("/predict", content=body, headers={"content-type": "application/octet-stream"})
            assert answer.status_code == 200
        drift = fresh.get("/drift").json()
    assert set(documented) == set(drift)
    for name in ("inputs", "window", "window_number", "inputs_since", "reference"):
        assert documented[name] == drift[name]
    for name in ("labels", "confidence", "ood_score"):
        assert documented[name]["status"] == drift[name]["status"]
        assert documented[name]["psi"] == pytest.approx(drift[name]["psi"], abs=0.03)
        assert set(documented[name]) == set(drift[name]) - {"bins"}


def test_readme_operating_points_are_the_shipped_recipes(trained_model: Path) -> None:
    """Weights differ slightly between processors, so the percentages may differ by a few points."""
    manifest = Classifier.load(trained_model).manifest
    assert manifest.abstention is not None
    rows = re.findall(r"^\| at most (\d+) % \| (0\.\d+) \| (.+) % \| (.+) % \| (.+) % \|$", README, re.MULTILINE)
    documented = {int(row[0]) / 100: [float(number) for number in row[1:]] for row in rows}
    assert list(documented) == [certificate.selective_risk for certificate in manifest.abstention.selective_risk]
    for certificate, point in zip(manifest.abstention.selective_risk, manifest.metrics.operating_points, strict=False):
        assert certificate.threshold is not None
        assert certificate.coverage is not None
        assert point.selective_risk is not None
        threshold, *percentages = documented[certificate.selective_risk]
        assert threshold == pytest.approx(certificate.threshold, abs=0.03)
        measured = [100 * share for share in (certificate.coverage, point.coverage, point.selective_risk)]
        assert percentages == pytest.approx(measured, abs=4)


def test_documented_cost_matrix_is_accepted_by_the_training() -> None:
    (block,) = _blocks("json", (DOCS / "abstention.md").read_text())
    assert json.loads(block) == json.loads((ROOT / "docs" / "costs.json").read_text())
    matrix = cost_matrix.read(ROOT / "docs" / "costs.json", fashion_mnist.CLASSES)
    sandal, boot = (fashion_mnist.CLASSES.index(name) for name in ("Sandal", "Ankle boot"))
    assert (matrix[sandal][boot], matrix[boot][sandal], matrix[0][1], matrix[0][0]) == (5, 5, 1, 0)


def _commands(text: str) -> list[str]:
    """The arguments of `demur` in shell blocks and between backticks, and those that `make train` adds."""
    text = re.sub(r"\\\n\s*", "", text)
    commands = [f"fit {options}" for options in re.findall(r'^make train FIT="(.*)"$', text, re.MULTILINE)]
    commands += re.findall(r"^(?:DEMUR_\w+=\S+ )*demur (.*)$", text, re.MULTILINE)
    return commands + re.findall(r"`demur\s([\w-]+ (?!--help)[^`]*)`", text)


COMMANDS = {
    name: commands for name, path in zip(NAMES, DOCUMENTS, strict=True) if (commands := _commands(path.read_text()))
}


@pytest.mark.parametrize("commands", COMMANDS.values(), ids=COMMANDS)
def test_documented_commands_are_valid(commands: list[str]) -> None:
    for command in commands:
        name, *arguments = shlex.split(command)
        match name:
            case "serve":
                options = [argument for argument in arguments if argument.startswith("-")]
                assert set(options) <= {"--host", "--port", "--workers"}
            case "score" | "key":
                program = argparse.ArgumentParser()
                (scoring_arguments if name == "score" else access).add(program)
                program.parse_args(arguments)
            case _:
                parser.parser().parse_args([name, *arguments])


def test_readme_shows_own_data_from_describe_to_serve() -> None:
    block = next(block for block in _blocks("sh") if "demur describe" in block)
    describe, fit, serve = block.splitlines()
    described, fitted = (parser.parser().parse_args(shlex.split(command)[1:]) for command in (describe, fit))
    assert (described.path, described.label_column) == (fitted.data, fitted.label_column)
    assert serve == f"demur serve {fitted.out}"


def test_documented_torchrun_commands_are_valid() -> None:
    text = (DOCS / "training.md").read_text()
    commands = re.findall(r"^\.venv/bin/torchrun (.*)$", text, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        torchrun = get_args_parser().parse_args(shlex.split(command))
        assert (torchrun.module, torchrun.training_script) == (True, "training")
        parser.parser().parse_args(torchrun.training_script_args)


def test_readme_figures_are_those_of_the_linked_documents() -> None:
    """Each figure of the second table, and those of the peers, are in the section that the row links to."""
    rows = re.findall(r"^\| \[.+?\]\((.+?)#(.+?)\) \| (.+) \| (.+) \|$", README, re.MULTILINE)
    assert len(rows) >= 3
    for path, anchor, *cells in rows:
        section = _section((ROOT / path).read_text(), anchor)
        figures = re.findall(r"\d[\d,.]*(?<![,.])", " ".join(cells))
        assert figures
        assert [figure for figure in figures if figure not in section] == [], anchor


def _section(text: str, anchor: str) -> str:
    """The section from the heading with this anchor to the next heading."""
    headings = [match for match in re.finditer(r"^#+ (.+)$", text, re.MULTILINE) if _slug(match[1]) == anchor]
    (heading,) = headings
    return re.split(r"^#+ ", text[heading.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def _slug(heading: str) -> str:
    """The anchor that GitHub gives a heading.

    >>> _slug("Open Inference Protocol, `/v2`")
    'open-inference-protocol-v2'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_documented_problem_is_that_of_a_bad_option(client: TestClient) -> None:
    expected = _example("Errors", "api")
    picture = (ROOT / "docs" / "ankle-boot.png").read_bytes()
    problem = client.post("/predict?top_k=12", content=picture, headers={"content-type": "image/png"}).json()
    expected.pop("request_id")
    problem.pop("request_id")
    assert expected == problem


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_make_targets_in_documents_exist(document: Path) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z0-9-]+)", document.read_text(), re.MULTILINE))
    assert named <= TARGETS


def _shown(default: object) -> str:
    if default is None:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_description_of_the_api_is_the_stored_one(trained_model: Path) -> None:
    """After an intended change, `make openapi` rewrites the file, and the diff shows the change for clients."""
    command = [sys.executable, "docs/openapi.py", str(trained_model)]
    result = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert result.stdout == (DOCS / "openapi.json").read_text()


def test_settings_table_lists_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(DEMUR_[A-Z0-9_]+)` \| (.*?) \|", (DOCS / "operations.md").read_text(), re.MULTILINE))
    fields = Settings.model_fields
    assert rows == {f"DEMUR_{name.upper()}": _shown(field.default) for name, field in fields.items()}
    (written,) = ast.parse(textwrap.dedent(inspect.getsource(Settings))).body
    assert isinstance(written, ast.ClassDef)
    explained = [
        entry.target.id
        for entry, after in itertools.pairwise(written.body)
        if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name) and isinstance(after, ast.Expr)
    ]
    assert explained == list(fields)


def test_documented_commands_use_the_standard_protocols(trained_model: Path) -> None:
    text = (DOCS / "interoperability.md").read_text()
    commands = re.findall(r"^```sh\n(curl -s http://127.0.0.1:8000/v.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(commands) == 2
    with serving(trained_model) as server:
        described, answered = (
            json.loads(
                subprocess.check_output(["bash", "-c", command.replace("http://127.0.0.1:8000", server.address)])
            )
            for command in commands
        )
    assert described["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28]}]
    (prediction,) = answered["predictions"]
    assert (prediction["label"], len(prediction["top_k"])) == ("Ankle boot", 1)


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_links_lead_to_existing_files_and_headings(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)", document.read_text())
    assert [path for path, _ in links if not (document.parent / path).exists()] == []
    assert [
        link
        for link in links
        if link[1] and link[1] not in _anchors(document.parent / link[0] if link[0] else document)
    ] == []


def _anchors(document: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {_slug(heading) for heading in headings} | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_paths_in_documents_exist(document: Path) -> None:
    roots = "service|training|exercises|tests|benchmarks|requirements|deploy"
    named = re.findall(rf"`((?:{roots})/[\w./-]*)`", document.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("half", ["service", "training"])
def test_architecture_lists_every_room_after_its_imports(half: str) -> None:
    table = re.search(rf"^\| `{half}/` \| owns \|\n((?:\|.*\n)+)", (DOCS / "architecture.md").read_text(), re.MULTILINE)
    assert table is not None
    rooms = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", table[1], re.MULTILINE)
    modules = (path.relative_to(ROOT / half) for path in (ROOT / half).rglob("*.py"))
    assert set(rooms) == {path.parts[0].removesuffix(".py") for path in modules} - {"__init__"}
    for room, imported in imports_within(half).items():
        assert imported <= set(rooms[: rooms.index(room)]), room


def test_license_is_the_declared_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (name,) = project["license-files"]
    head, version = (line.strip() for line in (ROOT / name).read_text().splitlines()[1:3])
    assert (head, version.split(",")[0]) == ("Apache License", "Version 2.0")
    assert project["license"] == "Apache-2.0"


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
