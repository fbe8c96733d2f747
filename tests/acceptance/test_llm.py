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
from tests.acceptance.service import Service, environment, running, waiting

if TYPE_CHECKING:
    from collections.abc import Generator

PROVIDERS = ("openai", "anthropic")
both = pytest.mark.parametrize("provider", PROVIDERS)
TESTER = Path(__file__).parents[1] / "mcp_server.py"
KEY = "sk-acceptance-0123456789"
RETRY = {"max_attempts": 3, "initial_interval": "50ms", "jitter": False}
SCORE = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}


@dataclass
class Models:
    """The server of the models, as a process of its own."""

    url: str

    def requests(self, model: str | None = None) -> list[dict[str, Any]]:
        """What was asked so far, of one model or of all."""
        found = httpx.get(f"{self.url}/requests", trust_env=False).json()
        return [one for one in found if model in (None, one["body"]["model"])]

    def asked(self, count: int, model: str | None = None) -> list[dict[str, Any]]:
        """Wait for so many requests."""
        for _ in waiting(f"{count} requests"):
            found = self.requests(model)
            if len(found) >= count:
                return found
        raise AssertionError

    def release(self, name: str) -> None:
        """Let an answer go that is held."""
        httpx.post(f"{self.url}/release/{name}", trust_env=False).raise_for_status()

    def tell(self, model: str, *script: dict[str, Any]) -> None:
        """What a model says from now on; its requests are counted anew."""
        httpx.post(f"{self.url}/script/{model}", json=script, trust_env=False).raise_for_status()


@contextmanager
def models(folder: Path, *script: dict[str, Any]) -> Generator[Models]:
    """A server with a script, or with none yet for any model."""
    file = folder / "script.json"
    file.write_text(json.dumps(script or {}))
    command = [sys.executable, "-m", "tests.llm_server", "0", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, env=environment()) as process:
        assert process.stdout is not None
        try:
            yield Models(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()


@contextmanager
def service(folder: Path, there: Models, **more: Any) -> Generator[Service]:
    """A service whose agents stand in files, at that server: one for each provider, with the tools of the tester.

    One more gives a score.  The name of an agent is that of its model.
    """
    agents = folder / "agents"
    agents.mkdir()
    for name, config, output in (
        ("openai", {"tools": [{"mcp": "tester"}]}, None),
        ("anthropic", {"tools": [{"mcp": "tester"}]}, None),
        ("openai-score", {}, SCORE),
    ):
        provider = name.partition("-")[0]
        price = {"input_per_million": 1, "output_per_million": 1}
        base = f"{there.url}/v1" if provider == "openai" else there.url
        config |= {"provider": provider, "model": name, "price": price, "base_url": base}
        agent = {"name": name, "kind": "llm", "config": config, **({"output": output} if output else {})}
        (agents / f"{name}.yaml").write_text(yaml.safe_dump(agent))
    servers = folder / "servers.json"
    tester = {"command": sys.executable, "args": [str(TESTER), "--marks", str(folder / "marks")]}
    servers.write_text(json.dumps({"mcpServers": {"tester": tester}}))
    settings = {"AGENTS_DIR": agents, "MCP_SERVERS": servers, "OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, **more}
    with running(folder, **settings) as found:
        yield found


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Generator[Models]:
    """The models of the tests, each of which tells them what to say."""
    with models(tmp_path_factory.mktemp("models")) as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, there: Models) -> Generator[Service]:
    """A service for all that need no other: also for those that kill it, and start it again."""
    with service(tmp_path_factory.mktemp("service"), there, LOG_LEVEL="debug") as found:
        yield found


def asking(agent: str) -> dict[str, Any]:
    """A workflow of one step."""
    return {"name": f"ask-{agent}", "steps": [{"id": "a", "agent": agent, "retry": RETRY}]}


def marks(running: Service) -> list[str]:
    """The lines of the tester so far."""
    file = running.folder / "marks"
    return file.read_text().splitlines() if file.exists() else []


def echoes(running: Service, thread: str) -> int:
    """How often the tester was called for a thread to echo."""
    return sum(line.startswith(f"echo {thread}:") for line in marks(running))


def calls(*tools: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """An answer of the model that calls tools."""
    return {"tools": [{"name": name, "arguments": arguments} for name, arguments in tools]}


def test_a_kill_while_the_model_answers_repeats_that_answer_alone(shared: Service, there: Models) -> None:
    threads = {}
    for provider in PROVIDERS:
        there.tell(provider, calls(("echo", {"value": {"a": 1}})), {"hold": "killed", "text": "lost"}, {"text": "Done"})
        threads[provider] = shared.start_thread(asking(provider), "Hi")
    for provider in PROVIDERS:
        there.asked(2, provider)
    shared.kill()
    shared.start().ready()
    for provider, thread in threads.items():
        done = shared.until(thread)
        asked = there.requests(provider)
        assert (done["status"], done["output"]["a"]["text"]) == ("completed", "Done")
        assert len(asked) == 3
        assert asked[1]["body"]["messages"] == asked[2]["body"]["messages"]
        assert echoes(shared, thread) == 1
        assert (done["usage"]["input_tokens"], done["usage"]["output_tokens"]) == (20, 8)


def test_a_kill_while_a_tool_runs_repeats_that_tool_alone(shared: Service, there: Models, tmp_path: Path) -> None:
    ready = tmp_path / "go on"
    threads = {}
    for provider in PROVIDERS:
        slow = ("wait_for", {"path": str(ready), "name": f"slow-{provider}"})
        there.tell(provider, calls(("echo", {"value": {}}), slow), {"text": "Done"})
        threads[provider] = shared.start_thread(asking(provider), "Hi")
    noted = "SELECT count(*) FROM workflow_notes WHERE name = 'tool:1:1' AND thread_id = ANY ($1::text[])"
    for _ in waiting("one tool of each to have ended and the other to run"):
        slow_ones = {f"slow-{provider} begun" for provider in PROVIDERS}
        if slow_ones <= set(marks(shared)) and shared.sql(noted, [*threads.values()])[0][0] == 2:
            break
    shared.kill()
    shared.start().ready()
    ready.touch()
    for provider, thread in threads.items():
        done = shared.until(thread)
        assert (done["status"], len(there.requests(provider))) == ("completed", 2)
        assert echoes(shared, thread) == 1
        assert (done["usage"]["input_tokens"], done["usage"]["output_tokens"]) == (20, 8)


def test_a_retry_goes_on_after_the_last_turn(shared: Service, there: Models) -> None:
    busy = {"status": 503, "headers": {"retry-after": "0"}}
    there.tell("anthropic", calls(("echo", {"value": {}})), busy, {"text": "Done"})
    done = shared.run(asking("anthropic"), "Hi")
    assert (done["status"], done["steps"][0]["attempt"]) == ("completed", 2)
    assert echoes(shared, done["thread_id"]) == 1


def test_an_answer_that_does_not_fit_is_asked_for_again_with_what_was_wrong(shared: Service, there: Models) -> None:
    there.tell("openai-score", {"text": '{"score": "high"}'}, {"text": '{"score": 7}'})
    done = shared.run(asking("openai-score"), "Hi")
    asked = there.requests("openai-score")
    assert (done["status"], done["output"]) == ("completed", {"a": {"score": 7}})
    assert "/score" in str(asked[1]["body"]["messages"][-1])


@both
def test_the_text_is_streamed_as_it_comes(shared: Service, there: Models, provider: str) -> None:
    there.tell(provider, {"hold": f"stream-{provider}", "pieces": ["Hel", "lo"]})
    thread = shared.start_thread(asking(provider), "Hi")
    there.asked(1, provider)
    heard: list[str] = []
    with shared.http.stream("GET", f"/api/invoke/stream/{thread}", timeout=60) as answer:
        there.release(f"stream-{provider}")
        for message in sse.live(answer):
            if message.event == "step_chunk":
                heard.append(message.data["data"]["text"])
            if message.event == "workflow_complete":
                break
    assert "".join(heard) == "Hello"


def test_a_missing_key_is_told_when_the_agent_is_needed_and_never_shown(tmp_path: Path, there: Models) -> None:
    missing = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
    none = dict.fromkeys(missing.values(), "")
    with service(tmp_path, there, CHECKPOINTER="memory", **none) as running:
        for provider, variable in missing.items():
            agent = {"provider": provider, "model": "m"}
            answer = running.http.post("/api/agents", json={"name": "other", "kind": "llm", "config": agent})
            started = running.http.post("/api/invoke/async", json={"workflow": asking(provider), "input": "Hi"})
            assert (answer.status_code, started.status_code) == (422, 422)
            assert f"{variable} is not set: agent other" in answer.text


def test_a_wrong_key_is_final_and_shown_nowhere(shared: Service, there: Models) -> None:
    there.tell("openai", {"status": 401, "error": {"message": f"Incorrect API key provided: {KEY}."}})
    thread = shared.start_thread(asking("openai"), "Hi")
    done = shared.until(thread)
    shown = json.dumps([done, shared.versions(thread), sse.whole(shared, thread)])
    rows = str([dict(row) for row in shared.sql("SELECT error::text, output::text FROM workflow_steps")])
    log = shared.log.read_text()
    assert (done["status"], done["error"]["kind"], done["steps"][0]["attempt"]) == ("failed", "llm.auth", 1)
    assert KEY not in shown + rows + log


def test_an_agent_of_the_api_may_not_reach_inside(shared: Service, there: Models) -> None:
    config = {"provider": "openai", "model": "stranger", "base_url": f"{there.url}/v1", "api_key_env": None}
    refused = shared.http.post("/api/agents", json={"name": "stranger", "kind": "llm", "config": config})
    assert refused.status_code == 422
    assert "127.0.0.1 is not public" in refused.json()["problems"][0]["message"]
    assert there.requests("stranger") == []


def test_an_agent_of_the_api_may_name_the_keys_that_are_listed_and_no_answer_is_longer_than_a_value(
    tmp_path: Path, there: Models
) -> None:
    listed = {"API_AGENT_SECRETS": "SHOP_KEY", "SHOP_KEY": "s", "OTHER_KEY": "s", "HTTP_ALLOW_PRIVATE": "true"}
    there.tell("listed", {"text": "x" * 3_000})
    with service(tmp_path, there, CHECKPOINTER="memory", MAX_VALUE_BYTES="2000", **listed) as running:
        config = {"provider": "openai", "model": "listed", "base_url": f"{there.url}/v1/"}
        for variable, status in (("OTHER_KEY", 422), ("OPENAI_API_KEY", 422), ("SHOP_KEY", 201)):
            agent = {"name": "stranger", "kind": "llm", "config": config | {"api_key_env": variable}}
            assert running.http.post("/api/agents", json=agent).status_code == status
        done = running.run({"name": "ask", "steps": [{"id": "a", "agent": "stranger"}]}, "Hi")
        assert (done["error"]["kind"], done["steps"][0]["attempt"]) == ("output_too_large", 1)
        assert "the answer of openai at 127.0.0.1:" in done["error"]["message"]
        assert there.requests("listed")[0]["headers"]["authorization"] == "Bearer s"
