"""`python -m training`: reads the command line, runs the command, prints what came of it."""

import argparse
import sys
from pathlib import Path

from service.contract.errors import DemurError
from training.cli import parser as arguments
from training.cli.describe import run_describe
from training.cli.evaluate import run_evaluate
from training.cli.fit import run_fit
from training.cli.next_token import run_next_token
from training.cli.sweep import run_sweep
from training.data.sources.fetch import fetch, locate

INTERRUPTED = 130  # what a shell reports of a command that Ctrl-C ended


def main(command_line: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0, 1 with a line that says what failed, or 130 after Ctrl-C."""
    options = arguments.parser().parse_args(command_line)
    try:
        _run(options)
    except DemurError as error:
        _say(f"training: {error}")
        return 1
    except KeyboardInterrupt:
        _say("training: interrupted")
        return INTERRUPTED
    return 0


def _run(options: argparse.Namespace) -> None:
    """Do what the command says."""
    match options.command:
        case "fetch":
            _fetch(options.data_dir)
        case "fit":
            run_fit(options, print, _say)
        case "sweep":
            run_sweep(options, print, _say)
        case "evaluate":
            run_evaluate(options, print, _say)
        case "next-token":
            run_next_token(options, print, _say)
        case "describe":
            run_describe(options, print, _say)


def _fetch(data_dir: Path | None) -> None:
    """Print the folder that holds the data: the one that is named, or found, or the cache; fetch what is missing."""
    print(fetch(_say, locate(data_dir)))


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # at once, since under torchrun several processes write unbuffered to one place


if __name__ == "__main__":
    sys.exit(main())
