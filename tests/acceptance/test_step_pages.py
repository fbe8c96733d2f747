"""The examples of the pages about steps, run as they stand there."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import document_text
from tests.acceptance.service import ROOT, Service, run_cli, running
from tests.acceptance.test_pages import blocks, typed

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SHOP = ROOT / "docs" / "examples" / "steps"
PAGES = ("workflow-document.md", "limits.md", "compensation.md", "sub-workflows.md")
NOT_RUN = {"content-strategy", "kinds", "conditions"}
"""They show how things are written."""
READ = {"texts": ["one two", " ", "three"]}
EMPTY = {"kind": "empty", "message": "there is nothing to read", "step_id": "read", "retryable": False}
RUNS: list[tuple[str, Any, Any]] = [
    ("read-all", READ, {"words": 3, "all": [{"words": 2}, {"error": EMPTY}, {"words": 1}]}),
    ("polish", {"text": "very very very good"}, {"text": "good", "score": 1.0}),
    ("publish-or-park", {"text": "t"}, {"report": {"publish": "completed", "park": "skipped"}, "parked": None}),
    (
        "publish-or-park",
        {"text": "t", "secret": True},
        {"report": {"publish": "failed", "park": "completed"}, "parked": {"parked": "t", "because": "refused"}},
    ),
    ("reminder", {"wait": "20ms", "text": "hello"}, {"remind": {"text": "hello"}}),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service beside the functions of the pages, with their workflows."""
    folder = tmp_path_factory.mktemp("pages")
    with running(folder, MODULES="shop", PYTHONPATH=f"{ROOT}:{SHOP}", HTTP_ALLOW_PRIVATE="true") as found:
        for page in PAGES:
            for document in map(document_text.load, blocks(page, "yaml")):
                if document["name"] not in NOT_RUN:
                    found.register(document)
        yield found


def named(page: str, name: str) -> dict[str, Any]:
    """The workflow of that name on a page."""
    return next(found for found in map(document_text.load, blocks(page, "yaml")) if found["name"] == name)


@pytest.mark.parametrize(("name", "given", "output"), RUNS)
def test_the_workflows_of_the_page_on_documents_run(service: Service, name: str, given: Any, output: Any) -> None:
    found = service.run(name, given)
    assert (found["status"], found["output"]) == ("completed", output)


def test_the_console_of_limits_pauses_and_goes_on(service: Service, tmp_path: Path) -> None:
    for _, command, *words in typed("limits.md"):
        if command in ("status", "resume"):
            paused = service.until("thought-1", "paused")
            assert paused["completed_steps"] == ["first", "second"]
        found = run_cli(command, *words, "--url", service.url, cwd=tmp_path)
        assert found.returncode == 0, found.stderr
        if command == "resume":
            assert service.until("thought-1")["status"] == "completed"
    assert "thinker" in found.stdout
    [body] = [json.loads(block) for block in blocks("limits.md", "json")]
    service.post("/api/invoke/resume/thought-1", body, expect=200)


def test_the_console_of_compensation_shows_and_undoes(service: Service, tmp_path: Path) -> None:
    shown = blocks("compensation.md", "console")[0]
    for _, command, *words in typed("compensation.md"):
        found = run_cli(command, *words, "--url", service.url, cwd=tmp_path)
        assert found.returncode == 0, found.stderr
        if "--dry-run" in words:
            lines = [line.strip() for line in found.stdout.splitlines()]
            assert lines == [line.strip() for line in shown.splitlines() if not line.startswith("$ ")]
    execution = service.until("trip-1", "paused")["execution_id"]
    runs = service.get(f"/api/workflow/execution/{execution}")["steps"]
    undone = {run["name"]: run["output"]["cancelled"].partition("-")[0] for run in runs if ".undo" in run["name"]}
    assert undone == {"hotel.undo": "hotel", "flight.undo": "flight"}
    dry = service.post("/api/invoke/rollback/trip-1", {"to_version": 2, "dry_run": True}, expect=200)
    [document] = [json.loads(block) for block in blocks("compensation.md", "json")]
    assert dry.keys() == document.keys()


def test_the_console_of_sub_workflows_shows_their_threads(service: Service, tmp_path: Path) -> None:
    for _, command, *words in typed("sub-workflows.md"):
        found = run_cli(command, *words, "--url", service.url, cwd=tmp_path)
        assert found.returncode == 0, found.stderr
    assert "3 of 3 completed" in found.stdout
    letter = service.status("letter-1")
    assert letter["output"] == {"texts": [f"Hello (en) ({language})" for language in ("de", "fr", "pt")]}
    child = service.status(letter["steps"][0]["session_id"])
    assert (child["workflow"], child["output"]) == ("translate", "Hello (en)")
    items = service.get("/api/workflow/items/letter-1/others")["items"]
    assert [service.status(item["session_id"])["output"] for item in items] == letter["output"]["texts"]


class Echo(BaseHTTPRequestHandler):
    """Answers with the status in the path, and what it was sent."""

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        raw = json.dumps({"echo": json.loads(sent or "null")}).encode()
        self.send_response(int(self.path.partition("?")[0].strip("/")))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = _answer  # noqa: N815 - names of the base class

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def test_the_example_of_http_steps_asks_a_real_service(service: Service) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        given = {"service": f"http://127.0.0.1:{server.server_port}", "name": "x"}
        found = service.run(named("http-steps.md", "greet"), given)
        server.shutdown()
    assert found["output"] == {
        "looked": 200,
        "told": 201,
        "type": "application/json",
        "echo": {"seen": 200, "all": given},
    }


def test_the_example_of_python_steps_runs_in_a_module_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "my_agents.py").write_text(blocks("python-steps.md", "python")[0], encoding="utf-8")
    with running(tmp_path / "s", MODULES="my_agents", PYTHONPATH=f"{ROOT}:{folder}") as own:
        found = own.run(named("python-steps.md", "study"), {"text": "a b"})
        assert found["output"] == {"words": ["a", "b"], "found": {"score": 0.8, "topic": "a"}}
