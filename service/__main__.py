"""`python -m service`: serve one model over HTTP until SIGTERM or SIGINT."""

import signal
import sys

import uvicorn

from service.app import create_app
from service.errors import DemurError
from service.settings import Settings


def main() -> int:
    """Serve; returns the exit status: 0 after a graceful stop, 1 when the service could not start."""
    try:
        settings = Settings.from_environment()
        app = create_app(settings)
    except DemurError as error:
        print(f"demur: {error}", file=sys.stderr)
        return 1
    # uvicorn stops gracefully on these and then raises the signal again for whoever handled it before; with nobody
    # there, a clean stop would end as if killed.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
    )
    try:
        server.run()
    except SystemExit as end:  # ours after a signal, or uvicorn's when it cannot listen, which has said why
        return 1 if end.code else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
