"""How a command and its help are declared, the same for every command of both halves."""

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
    return commands.add_parser(
        name,
        help=summary,
        usage=f"%(prog)s {usage}",
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n".join(["examples:", *(f"  %(prog)s {example}".rstrip() for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,  # keeps the lines of the examples
        allow_abbrev=False,
    )
