"""Claude Code agents behind a running service, with the real program and a local provider: a kill in a session, the page."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.runners.processes import marked
from tests.acceptance.service import ROOT, environment, free_port, running, waiting

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("claude_agent_sdk") is None,
    reason="the extra claude-code is not installed: pip install 'backstitch[claude-code]'",
)
EXAMPLE = ROOT / "docs" / "examples" / "claude-code"
QUICK, LONG = "claude-haiku-4-5", "claude-sonnet-4-5"


@dataclass
class Provider:
    """Whoever stands in for Anthropic."""

    url: str

    def asked(self, model: str) -> list[dict[str, Any]]:
        """The bodies of the requests for a model."""
        requests = httpx.get(f"{self.url}/requests", trust_env=False).json()
        return [one["body"] for one in requests if one["body"]["model"] == model]

    def until_asked(self, model: str, times: int) -> None:
        """Wait for that many requests for a model."""
        for _ in waiting(f"{times} requests for {model}"):
            if len(self.asked(model)) >= times:
                return

    def settings(self, agents: Path) -> dict[str, object]:
        """What a service needs to ask it; a home of its own, since shells that are killed leave things there."""
        home = agents.parent / "home"
        home.mkdir()
        key = "sk-local-0123456789"
        return {"AGENTS_DIR": agents, "ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": self.url, "HOME": home}


@contextmanager
def provider(folder: Path, script: dict[str, list[dict[str, Any]]]) -> Generator[Provider]:
    """A process of its own, which outlives the service."""
    file, port = folder / "script.json", free_port()
    file.write_text(json.dumps(script))
    command = [sys.executable, "-m", "tests.llm_server", str(port), str(file)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield Provider(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.communicate()


def agents(folder: Path) -> Path:
    """A folder of two agents: one that answers, one that works."""
    folder.mkdir()
    quick = {"prompt": "Say {input.word}", "model": QUICK}
    long = {"prompt": "Work on {input.word}", "model": LONG, "allowed_tools": ["Bash"]}
    for name, config in (("quick", quick), ("long", long)):
        (folder / f"{name}.yaml").write_text(json.dumps({"name": name, "kind": "claude-code", "config": config}))
    return folder


def bash(command: str) -> dict[str, Any]:
    """An answer that uses a tool."""
    return {"text": "Let me see. ", "tools": [{"name": "Bash", "id": "toolu_1", "arguments": {"command": command}}]}


CHAIN: dict[str, Any] = {
    "name": "sessions",
    "steps": [
        {"id": "first", "agent": "quick", "input": {"word": "{input.word}"}},
        {"id": "second", "agent": "long", "input": {"word": "{first.output.result}"}},
    ],
    "output": "{second.output.result}",
}


def test_a_kill_within_a_session_goes_on_in_the_session_and_repeats_nothing(tmp_path: Path) -> None:
    script = {
        QUICK: [{"text": "stitches"}],
        LONG: [bash("echo half-way"), {"text": "Lost.", "hold": "on"}, {"text": "Finished."}],
    }
    with (
        provider(tmp_path, script) as anthropic,
        running(tmp_path / "service", **anthropic.settings(agents(tmp_path / "agents"))) as service,
    ):
        thread = service.start_thread(CHAIN, {"word": "words"})
        anthropic.until_asked(LONG, 2)
        for _ in waiting("the session to be kept"):
            found = service.status(thread)
            if found["steps"][1]["session_id"] is not None:
                break
        key = f"{thread}:{found['execution_id']}:second"
        service.kill()
        left = set(marked(key))
        assert left
        service.start().ready()
        anthropic.until_asked(LONG, 3)
        assert not left & set(marked(key))
        done = service.until(thread, "completed")
        resumed = json.dumps(anthropic.asked(LONG)[2]["messages"])
        assert len(anthropic.asked(QUICK)) == 1
    assert done["output"] == "Finished."
    assert done["steps"][1]["session_id"] == found["steps"][1]["session_id"]
    assert "half-way" in resumed
    assert "You were interrupted" in resumed


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "claude-code.md").read_text()
    for file in [*EXAMPLE.glob("agents/*.yaml"), EXAMPLE / "review.yaml"]:
        assert file.read_text() in page
    folder, shop = tmp_path / "agents", tmp_path / "shop"
    shutil.copytree(EXAMPLE / "agents", folder)
    subprocess.run(["git", "init", "-q", str(shop)], check=True)
    reviewer = folder / "reviewer.yaml"
    reviewer.write_text(reviewer.read_text().replace("/srv/repositories/shop", str(shop)))
    verdict = {"verdict": "bad", "faults": ["shop.py:7 divides by nothing"]}
    answer = {"tools": [{"name": "StructuredOutput", "id": "toolu_2", "arguments": verdict}]}
    script = {LONG: [bash("git log -3"), answer, {"text": "Dear Ada, ..."}]}
    with (
        provider(tmp_path, script) as anthropic,
        running(tmp_path / "service", CHECKPOINTER="memory", **anthropic.settings(folder)) as service,
    ):
        document = (EXAMPLE / "review.yaml").read_text()
        headers = {"content-type": "application/yaml"}
        assert service.http.post("/api/workflows", content=document, headers=headers).status_code == 201
        done = service.run("review", {"author": "Ada", "commits": 3})
        asked = anthropic.asked(LONG)
    assert (done["status"], done["output"]) == ("completed", {"verdict": "bad", "letter": "Dear Ada, ..."}), done[
        "error"
    ]
    assert "shop.py:7" in json.dumps(asked[2]["messages"])
    assert done["usage"]["cost_usd"] > 0
