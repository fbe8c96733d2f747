"""The canary: secrets that agents reach through variables, and that upstreams send back in every form, come out nowhere."""

from __future__ import annotations

import base64
import json
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import yaml

from tests.acceptance.service import ROOT, running
from tests.llm_server import chat_stream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.acceptance.service import Service

CANARIES = {
    "CANARY_HTTP": 'c4n4ry/http+"9f8e"=&7d6c',
    "CANARY_LLM": "sk-c4n4ry-llm-0123456789",
    "CANARY_MCP": "c4n4ry%mcp<5b4a>3928'17",
    "CANARY_LISTED": "c4n4ry-listed-0f1e2d3c",
}
TRIED_ONCE = {"max_attempts": 1}


def forms(secret: str) -> Iterator[str]:
    """How it may come back."""
    yield secret
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield json.dumps(secret)[1:-1]
    yield json.dumps(json.dumps(secret)[1:-1])[1:-1]
    yield secret.encode().hex()
    for user in ("", "x:", "xy:", "xyz:"):
        yield base64.b64encode(f"{user}{secret}".encode()).decode()


def traces(secret: str) -> set[str]:
    """What must be found nowhere: the forms, of base64 without the ends that others have a part in."""
    return {form[4:-4] if form.endswith("=") or form.isalnum() else form for form in forms(secret)}


class Echo(BaseHTTPRequestHandler):
    """Sends back whatever key it is asked with, in every place of an answer."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        key = (self.headers["x-api-key"] or self.headers["authorization"] or "").removeprefix("Bearer ")
        getattr(self, "say_" + self.path.strip("/").partition("?")[0].replace("/", "_"))(key)

    def say_plain(self, key: str) -> None:
        """In the body and in headers."""
        body = json.dumps(
            {"forms": list(forms(key)), key: {"nested": json.dumps({"token": key})}, "url": f"http://u:{key}@h"}
        )
        self._answer(200, body, **{"X-Echo": key, "X-Basic": base64.b64encode(f"u:{key}".encode()).decode()})

    def say_fail(self, key: str) -> None:
        """In an error."""
        self._answer(500, "denied: " + ", ".join(forms(key)), **{"X-Echo": key})

    def say_stream(self, key: str) -> None:
        """In pieces of a stream, cut everywhere."""
        text = " ".join(forms(key))
        deltas = [json.dumps({"delta": text[at : at + 5]}) for at in range(0, len(text), 5)]
        self._answer(200, "".join(f"data: {delta}\n\n" for delta in deltas), "text/event-stream")

    def say_v1_chat_completions(self, key: str) -> None:
        """As a model."""
        text = " ".join(forms(key))
        answer = {"pieces": [text[at : at + 3] for at in range(0, len(text), 3)]}
        self._answer(200, "".join(chat_stream(answer, "m")), "text/event-stream")

    def say_denied_chat_completions(self, key: str) -> None:
        """As a model that denies."""
        self._answer(401, json.dumps({"error": {"message": f"Incorrect API key provided: {key}."}}))

    def _answer(self, status: int, body: str, kind: str = "application/json", **headers: str) -> None:
        raw = body.encode()
        self.send_response(status)
        for name, value in {**headers, "content-type": kind, "content-length": str(len(raw))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def upstream() -> Generator[str]:
    """Its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def agents(folder: Path, url: str) -> Path:
    """Agents that reach the canaries by reference."""
    folder.mkdir()
    for name in ("plain", "fail", "stream"):
        config = {"url": f"{url}/{name}", "headers": {"X-Api-Key": {"env": "CANARY_HTTP"}}, "allow_private": True}
        config |= {"query": {"key": {"env": "CANARY_HTTP"}}} if name == "fail" else {}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, "kind": "http", "config": config}))
    for name in ("v1", "denied"):
        config = {"provider": "openai", "model": "m", "base_url": f"{url}/{name}", "api_key_env": "CANARY_LLM"}
        (folder / f"model-{name}.yaml").write_text(
            yaml.safe_dump({"name": f"model-{name}", "kind": "llm", "config": config | {"prompt": "{input}"}})
        )
    return folder


def mcp_servers(file: Path) -> Path:
    """A server whose environment holds one; tests/mcp_plain.py tells its environment and dies with last words."""
    command = {
        "command": sys.executable,
        "args": [str(ROOT / "tests/mcp_plain.py")],
        "env": {"API_TOKEN": "${CANARY_MCP}"},
    }
    file.write_text(json.dumps({"mcpServers": {"teller": command}}))
    return file


def tool(step: str, tool_name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": step, "mcp": {"server": "teller", "tool": tool_name, "arguments": arguments}, "retry": TRIED_ONCE}


STEPS: list[dict[str, Any]] = [
    *({"id": name, "agent": name, "input": {}, "retry": TRIED_ONCE} for name in ("plain", "fail", "stream")),
    *({"id": name, "agent": f"model-{name}", "input": "Hi", "retry": TRIED_ONCE} for name in ("v1", "denied")),
    tool("environment", "env", name="API_TOKEN"),
    {"id": "tell", "python": "tell-all"},
    {"id": "broken", "python": "fail-with-all", "retry": {"max_attempts": 2, "initial_interval": "1ms"}},
    {"id": "far", "python": "far-away"},
    {"id": "again", "for_each": "{[tell.output]}", "agent": "fail", "input": "{item}", "retry": TRIED_ONCE},
    {
        "id": "ask",
        "gate": {"show": {"said": "{tell.output}", "http": "{plain.output}"}, "timeout": "1ms", "on_timeout": 1},
    },
]


def workflow() -> dict[str, Any]:
    """One after the other, whatever fails."""
    return {"name": "canary", "steps": [{**one, "on_error": "continue"} for one in STEPS]}


def rows(service: Service) -> dict[str, str]:
    """All columns of all tables as text."""
    tables = service.sql(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = 'public'"
    )
    found = {one["name"]: service.sql(f"SELECT t::text AS line FROM {one['name']} AS t") for one in tables}
    return {name: "\n".join(row["line"] for row in lines) for name, lines in found.items()}


def answers(service: Service, thread: str) -> dict[str, str]:
    """Whatever the API tells."""
    execution = service.status(thread)["execution_id"]
    beginning = base64.urlsafe_b64encode(b'[1,0,""]').rstrip(b"=").decode()
    paths = [
        *(f"/api/invoke/{what}/{thread}" for what in ("status", "history", "timeline", "verify", "gates")),
        *(f"/api/invoke/history/{thread}/{one['version']}" for one in service.versions(thread)),
        f"/api/workflow/execution/{execution}",
        f"/api/workflow/items/{thread}/again",
        f"/api/workflow/executions/compare?a={thread}&b={execution}",
        f"/api/events?thread_id={thread}&limit=1000",
        "/api/events?limit=1000",
        "/api/logs?limit=1000",
        *(
            "/api/workflow/executions",
            "/api/workflows",
            "/api/usage?by=agent",
            "/api/queue",
            "/api/gates",
            "/api/breakers",
        ),
        *("/api/agents", "/api/agents/fail/health", "/api/agents/fail/events", "/api/mcp/servers", "/api/health"),
        *("/metrics", "/api/metrics/agents", "/api/metrics/workflows", "/api/config", "/api/config/changes"),
        *("/api/retention?preview=true", "/api/workflow/state/formats", f"/api/invoke/export/{thread}"),
        *(f"/api/invoke/tree/{thread}", f"/api/invoke/history/{thread}/diff?from=1&to=2"),
    ]
    found = {path: service.http.get(path).raise_for_status().text for path in paths}
    found["replayed"] = service.http.get(f"/api/invoke/stream/{thread}").text
    with service.http.stream("GET", f"/api/stream?after={beginning}", timeout=60) as feed:
        seen = ""
        for piece in feed.iter_text():
            seen += piece
            if "workflow_complete" in seen:
                break
    return {**found, "feed": seen}


def test_no_canary_comes_out_anywhere(tmp_path: Path) -> None:
    settings = {
        **CANARIES,
        "API_AGENT_SECRETS": "CANARY_LISTED",
        "LOG_LEVEL": "debug",
        "LOG_DB_LEVEL": "debug",
        "LOG_FLOWS": "true",
        "MODULES": "tests.acceptance.functions,tests.acceptance.leaking",
        "MCP_SERVERS": mcp_servers(tmp_path / "servers.json"),
    }
    with upstream() as url, running(tmp_path, AGENTS_DIR=agents(tmp_path / "agents", url), **settings) as service:
        thread = service.start_thread(workflow())
        live = service.http.get(f"/api/invoke/stream/{thread}", timeout=60).text  # to its end
        done = service.until(thread)
        told = {**rows(service), **answers(service, thread), "live": live}
        refused = service.http.post("/api/agents", json={"name": CANARIES["CANARY_LISTED"], "kind": "nothing"})
        told["problem"] = json.dumps(refused.json()["detail"])
        statuses = {step["id"]: step["status"] for step in done["steps"]}
    told["log"] = (tmp_path / "serve.log").read_text()
    assert statuses == {
        **dict.fromkeys(("plain", "stream", "v1", "environment", "tell", "far", "ask"), "completed"),
        **dict.fromkeys(("fail", "denied", "broken", "again"), "failed"),
    }
    assert all(word in told["log"] for word in ("it broke", "header: *** *** ***", "backstitch.flow"))
    assert live.count("event: step_chunk") > 10
    found = {
        (where, name, form)
        for where, text in told.items()
        for name, secret in CANARIES.items()
        for form in traces(secret)
        if form in text or form in text.encode("unicode_escape").decode()
    }
    assert found == set()
