"""HTTP agents behind a running service: streams that are watched, a kill in the middle of one, and the example of the docs."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.service import ROOT, environment, free_port, running, waiting

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.acceptance.service import Service

EXAMPLE = ROOT / "docs" / "examples" / "http"
TOKEN = "word-0123456789"


class Target(ThreadingHTTPServer):
    """`/plain` answers with JSON, `/stream` says "one ", waits until `go` is set, says "two" and the result."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, Any]] = []
        self.go = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def keys(self, path: str) -> list[str]:
        """The idempotency keys that a path was asked with."""
        return [key for asked, key, _ in self.asked if asked == path]

    def handle_error(self, *_: Any) -> None:
        """A client that was killed is no news."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Target  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        """Any."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers["idempotency-key"], body))
        self.send_response(200)
        if self.path == "/plain":
            raw = json.dumps({"seen": body}).encode()
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
            return
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self._say('data: {"delta": "one "}')
        self.server.go.wait(60)
        self._say('data: {"delta": "two"}')
        self._say('event: result\ndata: {"said": "one two"}')

    def _say(self, event: str) -> None:
        self.wfile.write(f"{event}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def target() -> Generator[Target]:
    with Target() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.go.set()
        server.shutdown()
        thread.join()


def agents(folder: Path, target: Target) -> Path:
    """A folder of two agents, plain and streaming."""
    folder.mkdir()
    for name in ("plain", "stream"):
        config = {"url": f"{target.url}/{name}", "allow_private": True}
        (folder / f"{name}.yaml").write_text(json.dumps({"name": name, "kind": "http", "config": config}))
    return folder


CHAIN: dict[str, Any] = {
    "name": "told",
    "steps": [
        {"id": "first", "agent": "plain", "input": {"n": "{input.n}"}},
        {"id": "second", "agent": "stream", "input": {"n": "{first.output.seen.n}"}},
        {"id": "third", "agent": "plain", "input": {"said": "{second.output.said}"}},
    ],
}


def chunks(service: Service, thread: str, enough: int) -> str:
    """The first text that a reader of the thread's stream is shown."""
    text = ""
    with service.http.stream("GET", f"/api/invoke/stream/{thread}") as answer:
        event = ""
        for line in answer.iter_lines():
            event = line.removeprefix("event: ") if line.startswith("event: ") else event
            if line.startswith("data: ") and event == "step_chunk":
                text += json.loads(line[6:])["data"]["text"]
            if len(text) >= enough:
                return text
    return text


def test_a_kill_within_a_stream_asks_again_with_the_same_key_and_repeats_nothing_else(
    tmp_path: Path, target: Target
) -> None:
    with running(tmp_path / "service", AGENTS_DIR=agents(tmp_path / "agents", target)) as service:
        thread = service.start_thread(CHAIN, {"n": 7})
        assert chunks(service, thread, 4) == "one "
        service.kill()
        assert (len(target.keys("/plain")), len(target.keys("/stream"))) == (1, 1)
        service.start().ready()
        for _ in waiting("the second attempt"):
            if len(target.keys("/stream")) == 2:
                break
        target.go.set()
        done = service.until(thread, "completed")
    execution = done["execution_id"]
    assert target.keys("/stream") == [f"{thread}:{execution}:second"] * 2
    assert target.keys("/plain") == [f"{thread}:{execution}:first", f"{thread}:{execution}:third"]
    assert done["output"] == {"third": {"seen": {"said": "one two"}}}


def test_an_agent_of_the_api_reaches_no_private_address(tmp_path: Path, target: Target) -> None:
    with running(tmp_path, CHECKPOINTER="memory") as service:
        config = {"url": f"{target.url}/plain"}
        told = service.post("/api/agents", {"name": "inside", "kind": "http", "config": config}, expect=422)
        outward = {"url": f"https://a.example/{target.url}"}
        service.post("/api/agents", {"name": "inside", "kind": "http", "config": outward}, expect=201)
        changed = service.http.patch("/api/agents/inside", json={"config": config})
    assert "127.0.0.1 is not public (HTTP_ALLOW_PRIVATE=true allows it)" in told["detail"]
    assert (changed.status_code, target.asked) == (422, [])


@contextmanager
def example_service(port: int) -> Generator[None]:
    """docs/examples/http/service.py, as its first lines say."""
    command = ["-m", "uvicorn", "--app-dir", str(EXAMPLE), "--port", str(port), "service:app"]
    process = subprocess.Popen([sys.executable, *command], env=environment(), stderr=subprocess.DEVNULL)
    try:
        for _ in waiting("the example's service"):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield
    finally:
        process.terminate()
        process.wait()


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "agents"
    shutil.copytree(EXAMPLE / "agents", folder)
    page = (ROOT / "docs" / "http-agents.md").read_text()
    for file in [*EXAMPLE.glob("agents/*.yaml"), EXAMPLE / "digest.yaml"]:
        assert file.read_text() in page
    for file in folder.iterdir():
        file.write_text(file.read_text().replace(":9000/", f":{port}/"))
    settings = {"AGENTS_DIR": folder, "SUMMARISER_TOKEN": TOKEN, "CHECKPOINTER": "memory"}
    with example_service(port), running(tmp_path / "service", **settings) as service:
        document = (EXAMPLE / "digest.yaml").read_text()
        answer = service.http.post("/api/workflows", content=document, headers={"content-type": "application/yaml"})
        assert answer.status_code == 201, answer.text
        done = service.run("digest", {"text": "It rained. We stayed. It cleared."})
        assert (done["status"], done["output"]) == ("completed", {"address": "/articles/1", "number": 1}), done["error"]
        steps = service.get(f"/api/workflow/execution/{done['execution_id']}")["steps"]
        assert steps[0]["output"] == {"summary": "It rained We stayed"}
        assert TOKEN not in service.log.read_text()
