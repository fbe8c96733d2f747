"""Agents of the kind llm in the real service, against a server that speaks both wires and a real MCP server, under kill -9.

What is killed: the service between two turns, while the model answers, and while a tool runs.  Nothing that was written down
is asked for or called again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.acceptance import sse
from tests.acceptance.service import Service, environment, waiting

if TYPE_CHECKING:
    from collections.abc import Generator

both = pytest.mark.parametrize("provider", ["openai", "anthropic"])
TESTER = Path(__file__).parents[1] / "mcp_server.py"
KEY = "sk-acceptance-0123456789"
RETRY = {"max_attempts": 3, "initial_interval": "50ms", "jitter": False}
ASK = {"name": "ask", "steps": [{"id": "a", "agent": "writer", "retry": RETRY}]}


@dataclass
class Models:
    """The server of the models, as a process of its own."""

    url: str

    def requests(self) -> list[dict[str, Any]]:
        """What was asked so far."""
        return httpx.get(f"{self.url}/requests", trust_env=False).json()

    def asked(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many requests."""
        for _ in waiting(f"{count} requests"):
            found = self.requests()
            if len(found) >= count:
                return found
        raise AssertionError

    def release(self, name: str) -> None:
        """Let an answer go that is held."""
        httpx.post(f"{self.url}/release/{name}", trust_env=False).raise_for_status()


@contextmanager
def models(folder: Path, *script: dict[str, Any]) -> Generator[Models]:
    """A server with a script."""
    file = folder / "script.json"
    file.write_text(json.dumps(script))
    command = [sys.executable, "-m", "tests.llm_server", "0", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, env=environment()) as process:
        assert process.stdout is not None
        try:
            yield Models(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()


@contextmanager
def service(folder: Path, there: Models, provider: str, *, tools: Any = None, **more: Any) -> Generator[Service]:
    """A service whose agents stand in files: the writer, at that server, with the tools of the tester."""
    agents = folder / "agents"
    agents.mkdir()
    config = {"provider": provider, "model": "m", "price": {"input_per_million": 1, "output_per_million": 1}}
    config["base_url"] = f"{there.url}/v1" if provider == "openai" else there.url
    config |= {"tools": tools} if tools else {}
    output = {"output": more.pop("output")} if "output" in more else {}
    (agents / "writer.yaml").write_text(yaml.safe_dump({"name": "writer", "kind": "llm", "config": config, **output}))
    servers = folder / "servers.json"
    tester = {"command": sys.executable, "args": [str(TESTER), "--marks", str(folder / "marks")]}
    servers.write_text(json.dumps({"mcpServers": {"tester": tester}}))
    settings = {"AGENTS_DIR": agents, "MCP_SERVERS": servers, "OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, **more}
    found = Service(folder, settings)
    try:
        yield found.start().ready()
    finally:
        found.close()


def marks(folder: Path) -> list[str]:
    """The calls that the tester has written down: the first word of each line."""
    file = folder / "marks"
    words = [line.partition(" ")[0] for line in file.read_text().splitlines()] if file.exists() else []
    return [word for word in words if word in {"echo", "slow"}]


def calls(*tools: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """An answer of the model that calls tools."""
    return {"tools": [{"name": name, "arguments": arguments} for name, arguments in tools]}


@both
def test_a_kill_while_the_model_answers_repeats_that_answer_alone(tmp_path: Path, provider: str) -> None:
    script = [calls(("echo", {"value": {"a": 1}})), {"hold": "it", "text": "lost"}, {"text": "Done"}]
    with models(tmp_path, *script) as there, service(tmp_path, there, provider, tools=[{"mcp": "tester"}]) as running:
        running.register(ASK)
        thread = running.start_thread("ask", "Hi")
        there.asked(2)
        running.kill()
        done = running.start().ready().until(thread)
        asked = there.requests()
    assert (done["status"], done["output"]["a"]["text"]) == ("completed", "Done")
    assert len(asked) == 3
    assert asked[1]["body"]["messages"] == asked[2]["body"]["messages"]
    assert marks(tmp_path) == ["echo"]
    assert (done["usage"]["input_tokens"], done["usage"]["output_tokens"]) == (20, 8)


@both
def test_a_kill_while_a_tool_runs_repeats_that_tool_alone(tmp_path: Path, provider: str) -> None:
    ready = tmp_path / "go on"
    script = [calls(("echo", {"value": {}}), ("wait_for", {"path": str(ready), "name": "slow"})), {"text": "Done"}]
    with models(tmp_path, *script) as there, service(tmp_path, there, provider, tools=[{"mcp": "tester"}]) as running:
        running.register(ASK)
        thread = running.start_thread("ask", "Hi")
        for _ in waiting("one tool to have ended and the other to run"):
            if "slow" in marks(tmp_path) and running.sql("SELECT FROM workflow_notes WHERE name = 'tool:1:1'"):
                break
        running.kill()
        running.start().ready()
        ready.touch()
        done = running.until(thread)
        asked = there.requests()
    assert (done["status"], len(asked)) == ("completed", 2)
    assert marks(tmp_path).count("echo") == 1
    assert (done["usage"]["input_tokens"], done["usage"]["output_tokens"]) == (20, 8)


def test_a_retry_goes_on_after_the_last_turn(tmp_path: Path) -> None:
    busy = {"status": 503, "headers": {"retry-after": "0"}}
    script = [calls(("echo", {"value": {}})), busy, {"text": "Done"}]
    with (
        models(tmp_path, *script) as there,
        service(tmp_path, there, "anthropic", tools=[{"mcp": "tester"}]) as running,
    ):
        running.register(ASK)
        done = running.run("ask", "Hi")
    assert (done["status"], done["steps"][0]["attempt"]) == ("completed", 2)
    assert marks(tmp_path) == ["echo"]


def test_an_answer_that_does_not_fit_is_asked_for_again_with_what_was_wrong(tmp_path: Path) -> None:
    score = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
    script = [{"text": '{"score": "high"}'}, {"text": '{"score": 7}'}]
    with models(tmp_path, *script) as there, service(tmp_path, there, "openai", output=score) as running:
        running.register(ASK)
        done = running.run("ask", "Hi")
        asked = there.requests()
    assert (done["status"], done["output"]) == ("completed", {"a": {"score": 7}})
    assert "/score" in str(asked[1]["body"]["messages"][-1])


@both
def test_the_text_is_streamed_as_it_comes(tmp_path: Path, provider: str) -> None:
    with (
        models(tmp_path, {"hold": "it", "pieces": ["Hel", "lo"]}) as there,
        service(tmp_path, there, provider) as running,
    ):
        running.register(ASK)
        thread = running.start_thread("ask", "Hi")
        there.asked(1)
        heard: list[str] = []
        with running.http.stream("GET", f"/api/invoke/stream/{thread}", timeout=60) as answer:
            there.release("it")
            for message in sse.live(answer):
                if message.event == "step_chunk":
                    heard.append(message.data["data"]["text"])
                if message.event == "workflow_complete":
                    break
    assert "".join(heard) == "Hello"


@both
def test_a_missing_key_is_told_when_the_agent_is_needed_and_never_shown(tmp_path: Path, provider: str) -> None:
    variable = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}[provider]
    with models(tmp_path) as there, service(tmp_path, there, provider, **{variable: ""}) as running:
        agent = {"provider": provider, "model": "m"}
        answer = running.http.post("/api/agents", json={"name": "other", "kind": "llm", "config": agent})
        started = running.http.post("/api/invoke/async", json={"workflow": ASK, "input": "Hi"})
    assert (answer.status_code, started.status_code) == (422, 422)
    assert f"{variable} is not set: agent other" in answer.text


def test_a_wrong_key_is_final_and_shown_nowhere(tmp_path: Path) -> None:
    wrong = {"status": 401, "error": {"message": f"Incorrect API key provided: {KEY}."}}
    with models(tmp_path, wrong) as there, service(tmp_path, there, "openai", LOG_LEVEL="debug") as running:
        running.register(ASK)
        thread = running.start_thread("ask", "Hi")
        done = running.until(thread)
        shown = json.dumps([done, running.versions(thread), sse.whole(running, thread)])
        rows = str([dict(row) for row in running.sql("SELECT error::text, output::text FROM workflow_steps")])
        log = running.log.read_text()
    assert (done["status"], done["error"]["kind"], done["steps"][0]["attempt"]) == ("failed", "llm.auth", 1)
    assert KEY not in shown + rows + log


def test_an_agent_of_the_api_may_not_reach_inside(tmp_path: Path) -> None:
    with models(tmp_path, {"text": "x"}) as there, service(tmp_path, there, "openai") as running:
        config = {"provider": "openai", "model": "m", "base_url": f"{there.url}/v1", "api_key_env": None}
        agent = {"name": "stranger", "kind": "llm", "config": config}
        refused = running.http.post("/api/agents", json=agent)
        assert refused.status_code == 422
        assert "127.0.0.1 is not public" in refused.json()["problems"][0]["message"]
        assert there.requests() == []


def test_an_agent_of_the_api_may_name_the_keys_that_are_listed_and_no_answer_is_longer_than_a_value(
    tmp_path: Path,
) -> None:
    listed = {"API_AGENT_SECRETS": "SHOP_KEY", "SHOP_KEY": "s", "OTHER_KEY": "s", "HTTP_ALLOW_PRIVATE": "true"}
    with (
        models(tmp_path, {"text": "x" * 3_000}) as there,
        service(tmp_path, there, "openai", MAX_VALUE_BYTES="2000", **listed) as running,
    ):
        config = {"provider": "openai", "model": "m", "base_url": f"{there.url}/v1/"}
        for variable, status in (("OTHER_KEY", 422), ("OPENAI_API_KEY", 422), ("SHOP_KEY", 201)):
            agent = {"name": "stranger", "kind": "llm", "config": config | {"api_key_env": variable}}
            assert running.http.post("/api/agents", json=agent).status_code == status
        done = running.run({"name": "ask", "steps": [{"id": "a", "agent": "stranger"}]}, "Hi")
        assert (done["error"]["kind"], done["steps"][0]["attempt"]) == ("output_too_large", 1)
        assert "the answer of openai at 127.0.0.1:" in done["error"]["message"]
        assert there.requests()[0]["headers"]["authorization"] == "Bearer s"
