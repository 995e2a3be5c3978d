"""`python -m exercises`: lists the exercises, runs one, or all of them."""

import argparse
import sys
import time
from pathlib import Path

from exercises import page
from exercises.catalogue import EXERCISES
from exercises.exercise import Settings
from service.contract.errors import DemurError
from service.contract.files import make_writable


def main(command_line: list[str] | None = None) -> int:
    """Run the named exercises. Returns the exit status: 0, or 1 with a line that names the failure."""
    names = [exercise.name for exercise in EXERCISES]
    parser = argparse.ArgumentParser(prog="python -m exercises", description="The chapter's exercises.")
    parser.add_argument("name", nargs="?", choices=[*names, "all"], help="the exercise to run; omitted, all are listed")
    parser.add_argument("--quick", action="store_true", help="measure less and write no page: under a minute for all")
    parser.add_argument("--out", type=Path, default=Path("build/chapter"), help="folder of the pages (%(default)s)")
    parser.add_argument("--data-dir", type=Path, help="the folder of Fashion-MNIST; found or fetched by default")
    options = parser.parse_args(command_line)
    if options.name is None:
        for exercise in EXERCISES:
            print(f"{exercise.name:<18}{exercise.question}")
        return 0
    try:
        make_writable(options.out)
        for exercise in EXERCISES:
            if options.name in (exercise.name, "all"):
                start = time.perf_counter()
                findings = exercise.measure(Settings(options.quick, options.data_dir))
                page.write(exercise, findings, options.out, quick=options.quick)
                ending = "json" if options.quick else "md"
                print(f"{options.out / exercise.name}.{ending} in {time.perf_counter() - start:.0f} s")
    except DemurError as error:
        print(f"exercises: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
