"""`python -m tests.soak steady`, or `chaos`: prints a table, and ends with 1 where anything in it should not be."""

import argparse
import asyncio
import sys

from tests.soak import steady


def main() -> int:
    """Do what the command line says; returns the exit status."""
    program = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    commands = program.add_subparsers(dest="command", required=True)
    one = commands.add_parser("steady", help="one service and good clients; is its memory steady?")
    one.add_argument("--requests", type=int, default=1_000_000)
    options = program.parse_args()
    return _steady(options.requests)


def _steady(requests: int) -> int:
    done = asyncio.run(steady.run(requests, parts=10))
    sys.stdout.write(done.tally.table() + "\n\n" + done.table() + "\n")
    return 0 if done.is_steady else 1


if __name__ == "__main__":
    sys.exit(main())
