"""`python -m service`: serves over HTTP until SIGTERM or SIGINT; `score` scores files, `key` makes an API key.

Imports nothing heavy before the command line is parsed.
"""

import argparse
import gc
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.contract.commands import add_command, escaped_output, parse
from service.contract.errors import DemurError, ModelError, PlaceError
from service.contract.option_values import number, positive_int
from service.http.access import command as access
from service.scoring import arguments

if TYPE_CHECKING:
    from service.settings import Settings

PROGRAM = "python -m service"
_USAGE_ERROR = 2  # the status that argparse exits with
_INTERRUPTED = 130  # the status that a shell reports for Ctrl-C: 128 and the number of SIGINT


def main(words: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run one command, without one `serve`; returns the exit status: 0, 1 to 3 with a line that says why, or 130.

    `program` is what the user typed before the command.
    """
    options = parse(_parser(program), words)
    run = {"score": _score, "key": access.run}.get(options.command, _serve)
    with escaped_output():
        try:
            return run(options) or 0
        except DemurError as error:
            print(f"demur: {error}", file=sys.stderr)
            return _USAGE_ERROR if isinstance(error, PlaceError) else 1


def _parser(program: str) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog=program, usage="%(prog)s [COMMAND] ...", description="Serves a model over HTTP, unless a command is given."
    )
    commands = top.add_subparsers(prog=program, dest="command", metavar="COMMAND")
    serve = add_command(
        commands,
        "serve",
        "serve a model over HTTP",
        "[MODEL] [options]",
        ["build/model.onnx --port 8080", "models/ --host 0.0.0.0 --workers 4"],
    )
    add = serve.add_argument
    add("model", type=Path, nargs="?", metavar="MODEL", help="a model file, or a folder of them (DEMUR_MODEL_PATH)")
    settings = serve.add_argument_group("settings", "Every setting is an environment variable; these have an option.")
    add = settings.add_argument
    add("--port", type=_port, metavar="N", help="to listen on; 0 takes a free one (DEMUR_PORT, else 8000)")
    add("--host", metavar="HOST", help="the address to listen on (DEMUR_HOST, else 127.0.0.1)")
    add("--workers", type=positive_int, metavar="N", help="processes that serve (DEMUR_WORKERS, else 1)")
    arguments.add(add_command(commands, "score", arguments.SUMMARY, arguments.USAGE, arguments.EXAMPLES))
    access.add(add_command(commands, "key", access.SUMMARY, access.USAGE, access.EXAMPLES))
    return top


def _port(text: str) -> int:
    """A port, or 0."""
    return number(text, int, lambda value: 0 <= value <= 65535, "a whole number from 0 to 65535")


def _score(options: argparse.Namespace) -> int:
    """Score files; returns the exit status. After an interruption the same command continues."""
    try:
        from service.scoring import command

        return command.run(options)
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        print("demur: score needs pyarrow: pip install '.[serve,score]'", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demur: interrupted: the same command continues from here", file=sys.stderr)
        return _INTERRUPTED


def _serve(options: argparse.Namespace) -> int:
    """Serve; returns the exit status: 0 after a graceful stop, 1 when the service could not start."""
    # Almost nothing that is imported and built now is garbage. Collecting takes a tenth of the start.
    gc.disable()
    try:
        from service.settings import Settings

        settings = Settings.from_environment(_overrides(options))
        from service.app import create_app
        from service.http.server import processes

        try:
            return processes.serve(settings, create_app)
        except ModelError as error:
            raise ModelError(f"{error}. {_next_step(settings)}") from None
    finally:
        gc.enable()


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    """The settings that the command line gives."""
    given = {name: getattr(options, name, None) for name in ("host", "port", "workers")}
    overrides = {name: value for name, value in given.items() if value is not None}
    model: Path | None = getattr(options, "model", None)
    if model is not None:
        overrides |= {"models": model} if model.is_dir() else {"model_path": model, "models": None}
    return overrides


def _next_step(settings: "Settings") -> str:
    """What to do about a model that cannot be served."""
    path = settings.model_path if settings.models is None else settings.models / "NAME.onnx"
    return f"Train one: demur fit --out {shlex.quote(str(path))}; or name another: demur serve MODEL"


if __name__ == "__main__":
    sys.exit(main())
