"""The documents agree with the program and with one another: commands, settings, figures, paths and links."""

import argparse
import ast
import inspect
import itertools
import json
import re
import shlex
import textwrap
import tomllib
from pathlib import Path

import pytest
from torch.distributed.run import get_args_parser

from service.http.access import command as access
from service.scoring import arguments as scoring_arguments
from service.settings import Settings
from tests.documents import DOCS, DOCUMENTS, NAMES, README, blocks
from tests.server import ROOT
from tests.test_architecture import imports_within
from training.certification import cost_matrix
from training.cli import parser
from training.data.sources import fashion_mnist

MAX_LINES = {"operations": 450, "reliability": 150, "abstention": 200, "architecture": 170}  # in lines
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*## ", MAKEFILE, re.MULTILINE))


def test_readme_is_short_before_the_first_command() -> None:
    before, _, _ = README.partition("```")
    assert len(before.split()) <= 80
    assert len(README.split()) <= 900


@pytest.mark.parametrize(("name", "lines"), MAX_LINES.items())
def test_document_is_short_enough(name: str, lines: int) -> None:
    assert len((DOCS / f"{name}.md").read_text().splitlines()) <= lines


def test_documented_cost_matrix_is_accepted_by_the_training() -> None:
    (block,) = blocks((DOCS / "abstention.md").read_text(), "json")
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
    block = next(block for block in blocks(README, "sh") if "demur describe" in block)
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_make_targets_in_documents_exist(document: Path) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z0-9-]+)", document.read_text(), re.MULTILINE))
    assert named <= TARGETS


def _shown(default: object) -> str:
    if default is None:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


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
