#!/usr/bin/env python3
"""`demur COMMAND`: one command for training and serving. Imports only what the chosen command needs."""

import sys
from collections.abc import Sequence
from typing import NamedTuple


class _Command(NamedTuple):
    summary: str
    half: str  # the package whose command line declares it
    extras: str  # of the project, for `pip install`


_TRAINING, _SERVICE = ("training", "serve,train"), ("service", "serve")
_COMMANDS = {
    "fit": _Command("train, certify and publish a model", *_TRAINING),
    "describe": _Command("check data of your own, and what can be certified with them", *_TRAINING),
    "evaluate": _Command("measure a published model on its report split", *_TRAINING),
    "sweep": _Command("fit with many settings, and find the best", *_TRAINING),
    "next-token": _Command("train a model that predicts a text's next token", *_TRAINING),
    "fetch": _Command("find or download fashion-mnist, and print its folder", *_TRAINING),
    "serve": _Command("serve a model over HTTP", *_SERVICE),
    "score": _Command("answer every row of Parquet or CSV files", *_SERVICE),
    "key": _Command("make an API key", *_SERVICE),
}
_HELP = f"""\
usage: demur COMMAND ...

Trains classifiers that know when not to answer, and serves them.

commands:
{"".join(f"  {name:<12}{command.summary}{chr(10)}" for name, command in _COMMANDS.items())}
options:
  -h, --help  show this help message and exit
  --version   show the version and exit

examples:
  demur fit --out build/model.onnx
  demur serve build/model.onnx --port 8080

`demur COMMAND --help` describes a command.
"""
_USAGE_ERROR = 2  # the status that argparse exits with


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the first word names; returns the exit status."""
    words = sys.argv[1:] if words is None else [*words]
    match words:
        case []:
            sys.stderr.write(_HELP)
            return _USAGE_ERROR
        case ["-h" | "--help", *_]:
            sys.stdout.write(_HELP)
            return 0
        case ["--version", *_]:
            from service import __version__

            sys.stdout.write(f"demur {__version__}\n")
            return 0
        case [name, *_] if name not in _COMMANDS:
            sys.stderr.write(f"demur: {name}: no such command; {_nearest(name)}\n")
            return _USAGE_ERROR
    try:
        return _run(words, _COMMANDS[words[0]].half)
    except ModuleNotFoundError as error:
        missing = "torch" if error.name == "training" else error.name or str(error)  # the serving image has neither
        if missing.partition(".")[0] in ("service", "training"):
            raise
        extras = _COMMANDS[words[0]].extras
        sys.stderr.write(f"demur: {words[0]} needs {missing}, which is not installed: pip install '.[{extras}]'\n")
        return 1


def _run(words: list[str], half: str) -> int:
    if half == "service":
        from service.__main__ import main as service

        return service(words, "demur")
    from training.__main__ import main as training

    return training(words, "demur")


def _nearest(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, _COMMANDS, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(_COMMANDS)}"


if __name__ == "__main__":
    sys.exit(main())
