"""`python -m service key`: makes an API key."""

import argparse
import os
import sys
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Add its options to a parser."""
    parser.add_argument("name", metavar="NAME", help="of whoever is to hold it, as log and metrics will call it")
    parser.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=("predict", "feedback", "admin"),
        help="what it lets in to; may be given several times",
    )
    parser.add_argument("--file", type=Path, metavar="PATH", help="add its line to this file, made if it is not there")


def run(options: argparse.Namespace) -> None:
    """Make a key and print it: it can be had at no other time. Raises SettingsError."""
    from service.contract.errors import SettingsError
    from service.http.access import keys

    try:
        presented, key = keys.new(keys.name_of(options.name), frozenset(options.scope))
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if options.file is None:
        sys.stdout.write(f"{presented}\n{key.line()}\n")
        return
    if options.file.exists() and options.file.stat().st_size > 0 and key.name in keys.read(options.file).names:
        raise SettingsError(f"{options.file} has a key {key.name} already: remove its line, or take another name")
    try:
        # Others may read it, as the service in a container must.
        opened = os.open(options.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        with os.fdopen(opened, "r+b") as file:
            file.seek(0)
            whole = file.read()
            begin = b"\n" if whole and not whole.endswith(b"\n") else b""  # a last line that was left open
            file.write(begin + f"{key.line()}\n".encode())
    except OSError as error:
        raise SettingsError(f"cannot write the API keys {options.file}: {error.strerror}") from None
    sys.stdout.write(f"{presented}\n")
