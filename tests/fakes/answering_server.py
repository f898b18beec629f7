"""An HTTP server that answers as it is told: what proxies, gateways and providers really send in place of a reply."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP response, byte for byte. `ends_early` promises more than it sends."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    ends_early: bool = False


@dataclass(kw_only=True)
class AnsweringServer:
    """What is asked of it, and where it is."""

    base_url: str
    requests: list[bytes] = field(default_factory=list[bytes])

    @property
    def calls(self) -> int:
        """How often it was asked."""
        return len(self.requests)


@contextmanager
def answering_server(answer: Callable[[int, Mapping[str, str]], Answer]) -> Iterator[AnsweringServer]:
    """Run a server; `answer` gets the number of the call, from 1, and its headers."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            with lock:
                server.requests.append(body)
                number = server.calls
            told = answer(number, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(told.body) + (10 if told.ends_early else 0)))
            self.end_headers()
            self.wfile.write(told.body)
            self.close_connection = told.ends_early

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's signature
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server = AnsweringServer(base_url=f"http://127.0.0.1:{listening.server_port}")
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join(timeout=10)
