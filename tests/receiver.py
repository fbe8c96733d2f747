"""A receiver of webhooks on loopback: real HTTP, every request written down, answers to order; it can go away and come back."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from standardwebhooks import Webhook

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (204, {}, b"")


@dataclass(frozen=True, slots=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def id(self) -> str:
        """Its `webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def value(self) -> dict[str, Any]:
        """What it says."""
        return json.loads(self.body)

    @property
    def event(self) -> tuple[str, int]:
        """The thread that it tells of, and its event's number."""
        data = self.value["data"]
        return data["thread_id"], data["seq"]

    def verified(self, secret: str) -> dict[str, Any]:
        """What it says, once the standard's own library has found the signature good."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Listens between `start` and `stop`, always at the same place.  `answer` decides what is answered to a path."""

    answer: Callable[[Got], Answer] = lambda _: OK
    port: int = field(default_factory=free_port)
    got: list[Got] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: ThreadingHTTPServer | None = None
        self._came = threading.Condition()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen."""
        server = self._server = _Server(("127.0.0.1", self.port), self._handler())
        threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def wait(self, number: int, patience: float = 30.0) -> list[Got]:
        """All requests, once there are so many that were answered with 2xx."""
        deadline = time.monotonic() + patience
        with self._came:
            while len(self.taken) < number:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(self.taken)} of {number} webhooks came"
                self._came.wait(left)
        return self.got

    @property
    def taken(self) -> list[Got]:
        """Those that were answered with 2xx."""
        return [one for one in self.got if one.status < 300]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length)
                if len(body) < length:  # its sender was killed
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Got(self.path, headers, body, 0)
                status, more, text = receiver.answer(asked)
                with receiver._came:
                    receiver.got.append(Got(self.path, headers, body, status))
                    receiver._came.notify_all()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(text)), "Connection": "close", **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None: ...

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 200

    def handle_error(self, *_: object) -> None:
        """Who is killed in the middle of a request is no news."""
