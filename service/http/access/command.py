"""The `key` command: makes an API key. Imports nothing heavy, so that `--help` is answered at once."""

import argparse
import os
import sys
from pathlib import Path

SUMMARY = "make an API key"
USAGE = "NAME --scope SCOPE [options]"
EXAMPLES = ("shop --scope predict --scope feedback --file keys", "operator --scope admin")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("name", metavar="NAME", help="of the key's holder, as log and metrics show it")
    parser.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=("predict", "feedback", "admin"),
        help="what the key allows; may be given several times",
    )
    parser.add_argument("--file", type=Path, metavar="PATH", help="add the key's line to this file, made if missing")


def run(options: argparse.Namespace) -> None:
    """Make a key and print it, this once. Raises SettingsError or PlaceError."""
    from service.contract.errors import SettingsError
    from service.contract.files import require_replaceable
    from service.http.access import keys

    try:
        presented, key = keys.new(keys.name_of(options.name), frozenset(options.scope))
    except ValueError as error:
        raise SettingsError(str(error)) from None
    if options.file is None:
        sys.stdout.write(f"{presented}\n{key.line()}\n")
        return
    require_replaceable(options.file)
    if options.file.exists() and options.file.stat().st_size > 0 and key.name in keys.read(options.file).names:
        raise SettingsError(f"{options.file} has a key {key.name} already: remove its line, or take another name")
    try:
        # Readable by others: the service in a container runs as another user.
        descriptor = os.open(options.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        with os.fdopen(descriptor, "r+b") as file:
            file.seek(0)
            content = file.read()
            separator = b"\n" if content and not content.endswith(b"\n") else b""  # a last line without its end
            file.write(separator + f"{key.line()}\n".encode())
    except OSError as error:
        raise SettingsError(f"cannot write the API keys {options.file}: {error.strerror}") from None
    sys.stdout.write(f"{presented}\n")
