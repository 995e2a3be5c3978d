"""`python -m tests.soak steady`, or `chaos`: prints a table, and exits with 1 if anything in it is wrong."""

import argparse
import asyncio
import sys

from tests.soak import chaos, steady

_PART = 100_000  # requests between two looks at the memory


def main() -> int:
    """Run the soak that the command line names; returns the exit status."""
    program = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    commands = program.add_subparsers(dest="command", required=True)
    steady_parser = commands.add_parser("steady", help="one service and good clients; is its memory steady?")
    steady_parser.add_argument("--requests", type=int, default=1_000_000)
    chaos_parser = commands.add_parser("chaos", help="two services behind nginx, and everything at once")
    chaos_parser.add_argument("--minutes", type=float, default=10)
    chaos_parser.add_argument("--seed", type=int, default=0)
    options = program.parse_args()
    return _steady(options.requests) if options.command == "steady" else _chaos(options.minutes, options.seed)


def _steady(requests: int) -> int:
    result = asyncio.run(steady.run(requests, parts=max(2, requests // _PART)))
    sys.stdout.write(result.tally.table() + "\n\n" + result.table() + "\n")
    return 0 if result.is_steady else 1


def _chaos(minutes: float, seed: int) -> int:
    result = asyncio.run(chaos.run(minutes * 60, seed))
    sys.stdout.write(result.table() + "\n")
    return 0 if result.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
