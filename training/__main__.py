"""`python -m training`: parses the command line, then imports and runs the command."""

import argparse
import os
import sys
from pathlib import Path

from service.contract.commands import escaped_output, parse
from service.contract.errors import DemurError, PlaceError
from training.cli import parser

WAITING = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}  # how threads wait: OpenMP's own, GNU's, LLVM's
USAGE_ERROR = 2  # the status that argparse exits with
INTERRUPTED = 130  # the status that a shell reports for Ctrl-C: 128 and the number of SIGINT


def main(command_line: list[str] | None = None, program: str = parser.PROGRAM) -> int:
    """Run one command. Returns the exit status: 0; 1 or, for an impossible value, 2 with a line that says why; or 130
    after Ctrl-C.
    """
    options = parse(parser.parser(program), command_line)
    with escaped_output():
        try:
            _run(options)
        except DemurError as error:
            _log(f"demur: {error}")
            return USAGE_ERROR if isinstance(error, PlaceError) else 1
        except MemoryError as error:
            _log(
                f"demur: not enough memory{f' ({error})' if str(error) else ''}: close other programs, give fewer data "
                "or smaller pictures (--image-size), or a machine with more memory"
            )
            return 1
        except KeyboardInterrupt:
            _log("demur: interrupted")
            return INTERRUPTED
    return 0


def _run(options: argparse.Namespace) -> None:
    """Import the command and run it. No other command is imported: torch and matplotlib take seconds."""
    _let_waiting_threads_sleep()
    match options.command:
        case "fit":
            from training.cli.fit import run_fit

            run_fit(options, print, _log)
        case "sweep":
            from training.cli.sweep import run_sweep

            run_sweep(options, print, _log)
        case "evaluate":
            from training.cli.evaluate import run_evaluate

            run_evaluate(options, print, _log)
        case "next-token":
            from training.cli.next_token import run_next_token

            run_next_token(options, print, _log)
        case "describe":
            from training.cli.describe import run_describe

            run_describe(options, print, _log)
        case "fetch":
            _fetch(options.data_dir)


def _let_waiting_threads_sleep() -> None:
    """Unless the user has said how they wait. OpenMP reads this when torch is imported, and never again.

    By default a thread without work spins for some 20 ms. On a core that another process or a quota claims, the time
    that it spins is taken from the thread that it waits for.
    """
    if not WAITING & os.environ.keys():
        os.environ["OMP_WAIT_POLICY"] = "passive"


def _fetch(data_dir: Path | None) -> None:
    """Fetch what is missing of Fashion-MNIST, and print its folder: `data_dir`, or where it is found, or the cache."""
    from training.data.sources.fetch import fetch, locate

    print(fetch(_log, locate(data_dir)))


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")  # in one write: under torchrun several processes share standard error


if __name__ == "__main__":
    sys.exit(main())
