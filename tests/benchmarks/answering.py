"""A server with fixed answers, for testing load generators."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.serving.requests import Request

REQUEST = Request("/predict", b"[1]")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def answering(following: Callable[[], bytes]) -> Iterator[str]:
    """Yields its address. `following` makes the answer to each QUESTION; an empty answer ends the connection."""
    turn = threading.Lock()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline():
                while self.rfile.readline() != b"\r\n":
                    pass
                assert self.rfile.read(len(REQUEST.body)) == REQUEST.body
                with turn:
                    answer = following()
                if not answer:
                    return
                self.wfile.write(answer)

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """Ignore a connection that the client has cut off."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
