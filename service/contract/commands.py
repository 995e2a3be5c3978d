"""How commands are declared and parsed, the same for every command of both halves."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_command(
    commands: "Commands", name: str, summary: str, usage: str, examples: Sequence[str]
) -> argparse.ArgumentParser:
    """Add a command. `usage` and `examples` are what follows its name: argparse's own usage would list every option.

    >>> program = argparse.ArgumentParser(prog="demur")
    >>> _ = add_command(program.add_subparsers(), "key", "make an API key", "NAME [options]", ["shop --scope predict"])
    >>> try:
    ...     program.parse_args(["key", "--help"])
    ... except SystemExit:
    ...     pass
    usage: demur key NAME [options]
    <BLANKLINE>
    Make an API key.
    <BLANKLINE>
    options:
      -h, --help  show this help message and exit
    <BLANKLINE>
    examples:
      demur key shop --scope predict
    """
    command = commands.add_parser(
        name,
        help=summary,
        usage=f"%(prog)s {usage}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n".join(["examples:", *(f"  %(prog)s {example}".rstrip() for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,  # keeps the lines of the examples
        allow_abbrev=False,
    )
    command.set_defaults(command_parser=command)
    return command


def parse(top: argparse.ArgumentParser, words: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line. An unknown option is an error of its command, with the nearest option as a suggestion."""
    options, unknown = top.parse_known_args(words)
    command: argparse.ArgumentParser = vars(options).pop("command_parser", top)
    if unknown:
        import difflib

        near = difflib.get_close_matches(unknown[0].partition("=")[0], command._option_string_actions, n=1)
        suggestion = f"; did you mean {near[0]}?" if near else ""
        command.error(f"unrecognized arguments: {' '.join(unknown)}{suggestion}")
    return options
