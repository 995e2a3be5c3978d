"""How commands are declared and parsed, the same for every command of both halves."""

import argparse
import codecs
import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_NOT_READ = 141  # the status that a shell reports for a closed pipe: 128 and the number of SIGPIPE


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


@contextlib.contextmanager
def escaped_output() -> Iterator[None]:
    """Within it, characters that a terminal's encoding lacks are printed as escapes, and a last line says so.

    Names of classes and files may hold any character. Python's own reaction is a UnicodeEncodeError in the middle.
    Where what reads the output has ended, as `| head` does, the command ends quietly with status 141.
    """
    lacking = set()

    def escape(error: UnicodeError) -> tuple[str | bytes, int]:
        assert isinstance(error, UnicodeEncodeError)
        lacking.add(error.encoding)
        return codecs.backslashreplace_errors(error)

    codecs.register_error("demur.escape", escape)
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="demur.escape")
    try:
        yield
        _end_if_not_read(streams)
    except BrokenPipeError:
        _end_if_not_read(streams)
        raise  # another pipe
    finally:
        for stream, errors in zip(streams, before, strict=True):
            stream.reconfigure(errors=errors)
        if lacking:
            sys.stderr.write(
                f"demur: some characters are written as escapes (\\...), since the output's encoding "
                f"{', '.join(sorted(lacking))} lacks them: set PYTHONIOENCODING=utf-8 to see them\n"
            )


def _end_if_not_read(streams: Sequence[io.TextIOWrapper]) -> None:
    """Write what is buffered. Raises SystemExit if nothing reads one of the streams; what is left of it is dropped."""
    not_read = False
    for stream in streams:
        poll = select.poll()
        try:
            stream.flush()
            poll.register(stream.fileno(), 0)  # a pipe without a reader is an error whatever is asked
            broken = any(events & select.POLLERR for _, events in poll.poll(0))
        except BrokenPipeError:
            broken = True
        except (OSError, ValueError):  # not a file
            broken = False
        if broken:
            not_read = True
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())  # or Python's own flush, at the exit, fails again
            os.close(null)
    if not_read:
        raise SystemExit(_NOT_READ)
