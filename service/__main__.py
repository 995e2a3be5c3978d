"""`python -m service`: serve over HTTP until SIGTERM or SIGINT; `score`: score files; `key`: make an API key."""

import argparse
import gc
import sys
from collections.abc import Sequence

from service.contract.errors import DemurError
from service.http.access import command as access
from service.scoring import arguments

_INTERRUPTED = 130  # 128 and the number of SIGINT, as a shell says it


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    program = argparse.ArgumentParser(
        prog="python -m service",
        description="Serves a model over HTTP; with `score`, scores files with it; with `key`, makes an API key.",
    )
    commands = program.add_subparsers(dest="command")
    arguments.add(commands.add_parser("score", help="answer every row of Parquet files", allow_abbrev=False))
    access.add(commands.add_parser("key", help="make an API key", allow_abbrev=False))
    options = program.parse_args(words)
    if options.command is None:
        return serve()
    return key(options) if options.command == "key" else score(options)


def key(options: argparse.Namespace) -> int:
    """Make an API key; returns the exit status: 0 done, 1 not."""
    try:
        access.run(options)
    except DemurError as error:
        print(f"demur: {error}", file=sys.stderr)
        return 1
    return 0


def score(options: argparse.Namespace) -> int:
    """Score files; returns the exit status: 0 done, 1 not, 130 interrupted. The same command goes on where it was."""
    try:
        from service.scoring import command

        command.run(options)
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        print("demur: score needs pyarrow: pip install '.[serve,score]'", file=sys.stderr)
        return 1
    except DemurError as error:
        print(f"demur: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demur: interrupted: the same command goes on from here", file=sys.stderr)
        return _INTERRUPTED
    return 0


def serve() -> int:
    """Serve; returns the exit status: 0 after a graceful stop, 1 when the service could not start."""
    # What is imported and built now stays. To look through it for garbage on the way is a tenth of the start.
    gc.disable()
    try:
        from service.app import create_app
        from service.http.server import processes
        from service.settings import Settings

        return processes.serve(Settings.from_environment(), create_app)
    except DemurError as error:
        print(f"demur: {error}", file=sys.stderr)
        return 1
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
