"""A page in a real headless browser, served from this machine, which receives the page's results."""

import shutil
import subprocess
import threading
from collections.abc import Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.server import ROOT

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 120


def posted_by(page: str, files: Mapping[str, Path], last: str, folder: Path) -> dict[str, bytes]:
    """Open the page at this path of the repository, and return what it posts, by path, once it has posted to `last`.

    `files` are served beside the repository. The browser can reach only this machine. Raises AssertionError if
    there is no browser, or it posts nothing in time.
    """
    program = next((executable for name in _NAMES if (executable := shutil.which(name))), None)
    assert program is not None, f"none of {', '.join(_NAMES)} is installed"
    posted: dict[str, bytes] = {}
    over = threading.Event()

    class Handler(SimpleHTTPRequestHandler):
        """Serves files, and keeps posted bodies."""

        extensions_map = {".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html"}  # noqa: RUF012

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(ROOT))

        def translate_path(self, path: str) -> str:
            return str(files[path]) if path in files else super().translate_path(path)

        def do_POST(self) -> None:
            posted[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            if self.path == last:
                over.set()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'browser'}"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0"]
    address = f"http://127.0.0.1:{server.server_port}{page}"
    with subprocess.Popen([program, *options, address], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert over.wait(_SECONDS), f"{program} posted only {sorted(posted)}"
        finally:
            process.terminate()
            process.communicate()
            server.shutdown()
            server.server_close()
    return posted
