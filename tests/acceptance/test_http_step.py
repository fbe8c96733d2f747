"""The http step against a real server: what succeeds, what is final, what is tried again, and what goes along."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.acceptance.service import running

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.acceptance.service import Service

Request = dict[str, Any]


class Target(BaseHTTPRequestHandler):
    """Answers by path: /200, /404 ...; /busy?name is 503 once and then 200; all requests are kept."""

    seen: ClassVar[list[Request]] = []
    counts: ClassVar[Counter[str]] = Counter()

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        request = {
            "method": self.command,
            "path": self.path,
            "body": self.rfile.read(length).decode(),
            "at": time.time(),
        }
        self.seen.append({**request, "headers": {name.lower(): value for name, value in self.headers.items()}})
        self.counts[self.path] += 1
        route = self.path.partition("?")[0].strip("/")
        status = (503 if self.counts[self.path] == 1 else 200) if route in ("busy", "later") else int(route)
        raw = json.dumps({"echo": json.loads(request["body"] or "null"), "nul": "\x00"}).encode()
        self.send_response(status)
        if route == "later" and status == 503:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - names of the base class

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def target() -> Generator[str]:
    """The address of the server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Target) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def call(url: str, **more: Any) -> dict[str, Any]:
    """A workflow of one http step that is tried again soon."""
    retry = {"max_attempts": 3, "initial_interval": "50ms", "jitter": False}
    return {"name": "calls", "steps": [{"id": "a", "retry": retry, "http": {"method": "POST", "url": url, **more}}]}


def seen(path: str) -> list[Request]:
    """The requests of a path."""
    return [one for one in Target.seen if one["path"] == path]


def test_a_success_gives_status_headers_and_body(service: Service, target: str) -> None:
    document = call(
        f"{target}/200", json={"topic": "{input.topic}"}, headers={"X-Who": "{input.who}"}, query={"q": "a b"}
    )
    done = service.run(document, {"topic": [1, None], "who": "me"})
    assert done["status"] == "completed", done["error"]
    output = done["output"]["a"]
    assert (output["status"], output["body"]) == (200, {"echo": {"topic": [1, None]}, "nul": "\x00"})
    assert output["headers"]["content-type"] == "application/json"
    (request,) = seen("/200?q=a%20b") or seen("/200?q=a+b")
    assert (request["method"], request["headers"]["x-who"]) == ("POST", "me")
    assert request["headers"]["idempotency-key"] == f"{done['thread_id']}:{done['execution_id']}:a"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_client_error_is_final(service: Service, target: str, status: int) -> None:
    done = service.run(call(f"{target}/{status}"))
    assert (done["status"], done["error"]["kind"], done["error"]["retryable"]) == ("failed", f"http.{status}", False)
    assert len(seen(f"/{status}")) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_may_get_better_is_tried_again(service: Service, target: str, status: int) -> None:
    done = service.run(call(f"{target}/{status}"))
    assert (done["status"], done["error"]["kind"], done["error"]["retryable"]) == ("failed", f"http.{status}", True)
    assert len(seen(f"/{status}")) == 3
    assert len({one["headers"]["idempotency-key"] for one in seen(f"/{status}")}) == 1


def test_a_503_and_then_a_success(service: Service, target: str) -> None:
    done = service.run(call(f"{target}/busy"))
    assert (done["status"], done["steps"][0]["attempt"], done["steps"][0]["retry_count"]) == ("completed", 2, 1)


def test_retry_after_is_honoured(service: Service, target: str) -> None:
    done = service.run(call(f"{target}/later"))
    assert done["status"] == "completed"
    first, second = seen("/later")
    assert second["at"] - first["at"] >= 1.0


def test_nobody_there_is_tried_again_and_then_fails(service: Service) -> None:
    done = service.run(call("http://127.0.0.1:1/"))
    assert (done["status"], done["error"]["kind"], done["steps"][0]["attempt"]) == ("failed", "network", 3)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "not a url", "http://", "{input.url}"])
def test_what_is_no_url_is_final(service: Service, url: str) -> None:
    done = service.run(call(url), {"url": "file:///etc/passwd"})
    assert (done["status"], done["error"]["kind"], done["steps"][0]["attempt"]) == ("failed", "validation", 1)


def test_private_addresses_are_refused_by_default(tmp_path: Path, target: str) -> None:
    with running(tmp_path, CHECKPOINTER="memory") as service:
        before = len(Target.seen)
        port = target.rpartition(":")[2]
        hosts = ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "169.254.169.254", "[::ffff:127.0.0.1]"]  # noqa: S104 - nobody listens there
        for host in hosts:
            done = service.run(call(f"http://{host}:{port}/200"))
            assert (done["status"], done["error"]["kind"]) == ("failed", "address_refused"), (host, done["error"])
        assert len(Target.seen) == before
