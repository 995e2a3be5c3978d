"""Two services behind a real nginx, with deploy/nginx/demur.conf, that can be restarted one by one."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.nginx.starting import adapted, nginx
from tests.server import ROOT, Server, command_environment, free_port, wait_until_ready

_START_SECONDS = 30


class Pair:
    """Two services on separate ports, and the port of nginx before them."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self._folder = folder
        self._settings = settings
        self._ports = [free_port(), free_port()]
        self._started: list[Server] = []
        self.port = free_port()
        self.servers: list[Server] = []

    @property
    def address(self) -> str:
        """The address of nginx."""
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Start both services."""
        self.servers = [self._start(port) for port in self._ports]

    def configuration(self) -> str:
        """The configuration of nginx with these ports."""
        ports = dict(zip((8000, 8001, 8002), (self.port, *self._ports), strict=True))
        return adapted("demur.conf", **{f"127.0.0.1:{written}": f"127.0.0.1:{used}" for written, used in ports.items()})

    def end(self, slot: int, sig: signal.Signals) -> tuple[int, list[str]]:
        """Send the service a signal and wait for its end; returns its exit status and its log."""
        server = self.servers[slot]
        server.process.send_signal(sig)
        return server.process.wait(timeout=30), server.log()

    def start(self, slot: int) -> None:
        """Restart a service that has ended, and wait until it is ready."""
        self.servers[slot] = self._start(self._ports[slot])

    def complaints(self) -> list[str]:
        """The lines of nginx's error log, except connections refused while a service is down."""
        return [line for line in (self._folder / "error.log").read_text().splitlines() if "refused" not in line]

    def logs(self) -> list[str]:
        """The log lines of all services, including those before a restart."""
        return [line for server in self._started for line in server.log()]

    def close(self) -> None:
        """Kill both services."""
        for server in self._started:
            server.process.kill()
            server.process.wait()
            server.out.close()

    def _start(self, port: int) -> Server:
        environment = command_environment(DEMUR_PORT=str(port), **self._settings)
        out = (self._folder / f"{len(self._started)}.log").open("w+")
        command = [sys.executable, "-m", "service"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out, text=True)
        server = Server(process, port, out)
        self._started.append(server)
        wait_until_ready(server, seconds=_START_SECONDS)
        return server


@contextmanager
def pair(**settings: str) -> Iterator[Pair]:
    """Run both services with these settings, and nginx before them."""
    with tempfile.TemporaryDirectory(prefix="demur-nginx-") as folder:
        running = Pair(Path(folder), settings)
        try:
            running.open()
            with nginx(Path(folder), running.configuration(), running.port):
                yield running
        finally:
            running.close()
