"""`demur`: one command that imports only what it needs, with quick help and correct examples."""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

import demur
from service.__main__ import _parser as service_parser
from tests.server import ROOT, command_environment
from training.cli.parser import parser as training_parser

COMMANDS = tuple(demur._COMMANDS)
LIBRARIES = {
    "numpy",
    "pydantic",
    "torch",
    "matplotlib",
    "scipy",
    "pyarrow",
    "onnx",
    "onnxruntime",
    "fastapi",
    "uvicorn",
}
# Prints the output of a command line, and then the packages that it has loaded.
_LOADED = """
import sys
from demur import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0, end.code
print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def _declared() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command of both halves, as `demur` calls them."""
    parsers: dict[str, argparse.ArgumentParser] = {}
    for parser in (training_parser("demur"), service_parser("demur")):
        (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
        parsers |= commands.choices
    return parsers


def _examples(help_text: str) -> list[list[str]]:
    """The arguments of `demur` in the examples at the end of a help text."""
    lines = help_text.partition("\nexamples:\n")[2].partition("\n\n")[0].splitlines()
    arguments = [shlex.split(line) for line in lines]
    assert all(program == "demur" for program, *_ in arguments)
    return [rest for _, *rest in arguments]


def _run(python: Path, *arguments: str, program: Path = ROOT / "demur.py") -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in command_environment().items() if not name.startswith("PYTHON")}
    command = [str(python), str(program), *arguments]
    return subprocess.run(command, cwd=program.parent, env=environment, capture_output=True, text=True, check=False)


def test_commands_of_both_halves_are_listed_with_their_descriptions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert demur.main(["--help"]) == 0
    listed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith("  "))
    declared = _declared()
    assert set(declared) == set(COMMANDS)
    for name, parser in declared.items():
        assert (parser.description or "").lower() == f"{listed[name]}.".lower()


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_nothing_but_the_standard_library_and_our_modules(command: str) -> None:
    arguments = [*command.split(), "--help"]
    result = subprocess.run(
        [sys.executable, "-c", _LOADED, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    text, _, loaded = result.stdout.rpartition("loaded:")
    assert text.startswith(f"usage: demur {command}".rstrip())
    # The interpreter itself loads some modules that files in site-packages name.
    before = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    ours = {"__main__", "demur", "service", "training"}
    other = set(loaded.split()) - sys.stdlib_module_names - ours
    assert other <= {name.partition(".")[0] for name in before.stdout.split()}
    assert not LIBRARIES & set(loaded.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_ends_with_two_valid_examples(command: str) -> None:
    parser = _declared()[command]
    examples = _examples(parser.format_help())
    assert len(examples) == 2
    for name, *arguments in examples:
        assert name == command
        parser.parse_args(arguments)


def test_examples_of_the_program_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    demur.main(["--help"])
    for name, *arguments in _examples(capsys.readouterr().out):
        _declared()[name].parse_args(arguments)


@pytest.mark.parametrize("command", ["fit", "sweep", "evaluate", "describe"])
def test_options_are_in_groups(command: str) -> None:
    """Only `--help` and positional arguments are outside groups."""
    help_text = _declared()[command].format_help()
    general = help_text.partition("\noptions:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in general.splitlines()] == ["-h,"]
    assert help_text.count(":\n  --") >= 3


def test_programs_of_the_halves_have_separate_names() -> None:
    assert training_parser().format_usage().startswith("usage: python -m training ")
    assert service_parser("python -m service").format_usage().startswith("usage: python -m service ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evalute"], "demur: evalute: no such command; did you mean evaluate?\n"),
        (["xyzzy", "--help"], f"demur: xyzzy: no such command; there are {', '.join(COMMANDS)}\n"),
    ],
)
def test_unknown_command_gets_a_suggestion(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demur.main(arguments) == 2
    assert capsys.readouterr().err == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("fit --epoch 1", "demur fit: error: unrecognized arguments: --epoch 1; did you mean --epochs?"),
        ("serve --prot=1", "demur serve: error: unrecognized arguments: --prot=1; did you mean --port?"),
        ("serve one two", "demur serve: error: unrecognized arguments: two"),
    ],
)
def test_unknown_option_gets_a_suggestion(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        demur.main(arguments.split())
    assert stopped.value.code == 2
    usage, line = capsys.readouterr().err.splitlines()
    assert usage.startswith(f"usage: demur {arguments.split()[0]} ")
    assert line == message


def test_missing_command_shows_the_help_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert demur.main([]) == 2
    assert capsys.readouterr().err.startswith("usage: demur COMMAND ...")


def test_exit_status_is_that_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demur.main(["describe", str(tmp_path / "nothing.csv")]) == 1
    assert capsys.readouterr().err.startswith("demur: ")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with only the standard library."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return folder / "bin" / "python"


def test_command_without_its_libraries_says_how_to_install_them(bare: Path) -> None:
    for command, extras in (("fit", "serve,train"), ("serve", "serve")):
        result = _run(bare, command)
        assert (result.returncode, result.stdout) == (1, "")
        (line,) = result.stderr.splitlines()
        assert line.startswith(f"demur: {command} needs ")
        assert line.endswith(f", which is not installed: pip install '.[{extras}]'")


def test_command_without_libraries_needs_none(bare: Path) -> None:
    made = _run(bare, "key", "shop", "--scope", "predict")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith("demur_")


def test_installation_of_the_service_alone_lists_all_commands_and_names_torch(bare: Path, tmp_path: Path) -> None:
    """The serving image is such an installation, without `training`."""
    program = tmp_path / "demur.py"
    shutil.copy(ROOT / "demur.py", program)
    (tmp_path / "service").symlink_to(ROOT / "service")
    listed = _run(bare, "--help", program=program).stdout
    assert all(f"\n  {command} " in listed for command in COMMANDS)
    fit = _run(bare, "fit", "--help", program=program)
    assert (fit.returncode, fit.stdout) == (1, "")
    assert fit.stderr == "demur: fit needs torch, which is not installed: pip install '.[serve,train]'\n"


def test_program_runs_through_a_link_as_in_the_images(tmp_path: Path) -> None:
    (tmp_path / "demur").symlink_to(ROOT / "demur.py")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    result = subprocess.run(
        [tmp_path / "demur", "--version"], cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=False
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"demur": "demur:main"}
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("demur ")


@pytest.mark.process
def test_wheel_installs_the_command(bare: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("demur.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    for name in ("service", "training"):
        shutil.copytree(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("demur-*.whl")
    subprocess.run([*pip, "--python", str(bare), "install", "--no-deps", str(wheel)], check=True, capture_output=True)
    installed = bare.parent / "demur"
    help_text = subprocess.run([installed, "fit", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert help_text.stdout.startswith("usage: demur fit ")
