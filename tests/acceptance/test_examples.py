"""The examples, run as they stand against one service."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from standardwebhooks import Webhook

from app.client import Backstitch
from app.domain import events as domain
from tests.acceptance.service import ROOT, Service, running

if TYPE_CHECKING:
    from collections.abc import Generator

EXAMPLES = ROOT / "examples"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service with the agents that the examples bring along."""
    path = os.pathsep.join(map(str, (ROOT, EXAMPLES / "python", EXAMPLES / "langgraph")))
    with running(tmp_path_factory.mktemp("examples"), MODULES="talker,sketch_graph", PYTHONPATH=path) as found:
        yield found


def run(*command: str | Path, url: str = "", **more: str) -> list[str]:
    """The lines that a program has printed, which must have gone well."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "BACKSTITCH_URL": url, **more}
    env.pop("COVERAGE_PROCESS_CONFIG", None)
    ran = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.splitlines()


def python(file: str, service: Service, *arguments: str) -> list[str]:
    return run(sys.executable, EXAMPLES / file, *arguments, url=service.url)


def there(service: Service, path: str) -> None:
    """Skip unless the service has this."""
    if service.http.get(path).status_code == 404:
        pytest.skip(f"the service has no {path}")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_tour_with_curl(service: Service) -> None:
    told = "\n".join(run("sh", EXAMPLES / "curl/tour.sh", url=service.url))
    assert told.count('"status":"failed"') >= 2
    assert "\nid: 6\nevent: workflow_failed\n" in told
    assert '"resumed_from_version":2' in told
    assert '"rolled_back_to_version":3,"rolled_back_from_version":5' in told
    assert [line for line in told.splitlines() if line == "completed"] == ["completed"] * 2


def test_the_tour_in_python_and_resuming_what_failed(service: Service) -> None:
    told = python("python/tour.py", service)
    assert "failed in read: {'kind': 'validation'" in "\n".join(told)
    assert "versions: {'START': 1, 'work': 2, 'read': 3, 'links': 4, 'END': 5}" in told
    assert told[-2:] == ["rolled back from 5 to 3, completed with version 7", "ran again: ['links']"]
    thread = service.run(
        {"name": "broken", "steps": [{"id": "read", "agent": "collector", "input": {"paths": ["/no"]}}]}
    )
    told = python("python/resume_failed.py", service)
    assert told == [f"{thread['thread_id']} (broken) goes on after START", "1 resumed"]
    service.until(thread["thread_id"])


def test_the_client_that_blocks(service: Service) -> None:
    told = python("python/plain.py", service, str(ROOT / "README.md"))
    assert [line.split()[1] for line in told[:9]] == [*["completed"] * 5, "skipped", *["completed"] * 3]
    assert "completed last: ['content-strategy'" in told[-1]


def test_a_batch_that_is_run_twice_starts_each_thread_once(service: Service) -> None:
    found = [python("python/batch.py", service, "mine") for _ in range(2)]
    assert found == [["50 of 50 articles, the first 'On topic 1', the last 'On topic 50'"]] * 2
    assert service.get("/api/workflow/executions", workflow="batch-article")["total"] == 50


def test_the_text_of_a_step_is_printed_as_it_comes(service: Service) -> None:
    streamed, whole = python("python/tokens.py", service)
    assert whole == f"whole: {streamed.strip()}"
    assert "goes on from its last stitch." in whole


async def test_what_the_page_of_the_client_shows_runs(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/python-client.md").read_text(encoding="utf-8")
    given = json.dumps({"paths": [str(ROOT / "README.md")], "pace_ms": 0})
    first, blocking, *others, last = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    for block in (first, blocking):
        names = await shown(block.replace('{"topic": "rollback"}', given), service, names)
    told = capsys.readouterr().out
    assert "workflow_complete None" in told
    assert told.count("'report': ") == 2
    async with Backstitch(service.url) as names["service"]:
        names["thread"] = names["service"].thread(names["thread"].thread_id)
        for block in others:
            names = await shown(block, service, names)
    await shown(last, service, names)
    assert "content-strategy" not in {one["workflow"] for one in names["failed"]}
    assert "'agents': [" in capsys.readouterr().out


async def shown(block: str, service: Service, names: dict[str, Any]) -> dict[str, Any]:
    """Run Python of a page, as if it were typed; what it leaves is there for the next."""
    block = block.replace('"http://127.0.0.1:8000"', "").replace("Backstitch()", f'Backstitch("{service.url}")')
    code = compile(block, "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    coroutine = eval(code, names)  # noqa: S307 - a page of ours
    if inspect.iscoroutine(coroutine):
        await coroutine
    return names


@needs_node
def test_the_tour_in_javascript(service: Service) -> None:
    told = run(str(NODE), EXAMPLES / "javascript/tour.mjs", url=service.url)
    assert told[-1].startswith("completed { pages: ")
    assert told[-1].endswith("kept from before: [ 'work' ]")
    numbers = [line.split()[0] for line in told[1:-1] if not line.startswith("-")]
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


@needs_node
def test_the_page_in_javascript(service: Service) -> None:
    told = run(str(NODE), ROOT / "tests/acceptance/browser.mjs", service.url)
    assert told[:5] == ["status true", "workflow_start ", "step_start talk", "step_complete talk", "workflow_complete "]
    assert told[5] == "closed"
    assert told[6].startswith("ended completed A thread about pages")
    assert told[7] == "Not Found: there is no workflow nothing"


@needs_node
def test_the_javascript_of_the_examples_survives_what_breaks() -> None:
    assert run(str(NODE), ROOT / "tests/acceptance/cuts.mjs") == [
        *("1 3", "2 undefined", "asked after ,1,1"),
        "http://service/api/invoke/stream/t?after=0",
        *("step_start", "talk one "),
        "http://service/api/invoke/stream/t?after=2",
        *(
            "talk one two ",
            "talk one two three",
            "talk ",
            "attempt_discarded",
            "workflow_failed",
            "end workflow_failed",
        ),
    ]


def test_the_page_listens_to_every_event_there_is() -> None:
    found = re.search(r"NAMES = \[(.*?)\]", (EXAMPLES / "javascript/page/watch.js").read_text("utf-8"), re.DOTALL)
    assert found is not None
    told = {value for name, value in vars(domain).items() if name.isupper() and isinstance(value, str)}
    assert set(re.findall(r"'(\w+)'", found[1])) == told - {domain.STEP_CHUNK}


def test_a_graph_as_a_step(service: Service) -> None:
    pytest.importorskip("langgraph")
    assert python("langgraph/as_a_step.py", service) == [
        "written: All about sewing.",
        "asked: {'text': 'All about sewing.'}",
        "output: {'text': 'All about sewing.', 'approved': True}",
    ]


def test_the_stock_client_of_langgraph(service: Service) -> None:
    there(service, "/langgraph/info")
    told = python("langgraph/sdk.py", service)
    assert told[-2] == "next: []"


def test_the_official_client_of_mcp(service: Service) -> None:
    there(service, "/mcp")
    told = python("mcp/watch.py", service)
    assert "invoke_async" in told[0]
    assert told[-1].startswith("completed {'pages': ")


def test_the_configurations_of_mcp_clients_name_the_service() -> None:
    for file in sorted((EXAMPLES / "mcp").glob("*.json")):
        found = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]["backstitch"]
        assert found.get("url", "http://127.0.0.1:8000/mcp") == "http://127.0.0.1:8000/mcp"
        assert {"url"} <= found.keys() or found["args"][0] == "mcp"


def delivery(body: str, secret: str = SECRET) -> dict[str, str]:
    """The headers of a webhook."""
    now = datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", now, body)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def test_the_receiver_of_webhooks_takes_what_is_genuine_once(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("receiver", EXAMPLES / "webhooks/receiver.py")
    assert spec is not None
    assert spec.loader is not None
    receiver: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(receiver)
    body = '{"type": "workflow_complete"}'
    assert receiver.receive(SECRET, delivery(body), body.encode()) == (204, {"type": "workflow_complete"})
    assert receiver.receive(SECRET, delivery(body), body.encode()) == (204, None)
    assert receiver.receive(SECRET, delivery(body), b'{"type": "workflow_failed"}') == (400, None)
    assert capsys.readouterr().out == "refused: No matching signature found\n"


@needs_node
def test_the_receiver_of_webhooks_in_javascript() -> None:
    body = '{"name": "ü"}'
    script = (
        f"import {{verify}} from {json.dumps((EXAMPLES / 'webhooks/receiver.mjs').as_uri())};"
        "const [secret, headers, body] = process.argv.slice(1);"
        "try { console.log(JSON.stringify(verify(secret, JSON.parse(headers), body))) } catch (e) { console.log(e.message) }"
    )
    stale = delivery(body) | {"webhook-timestamp": "1000000000"}
    for headers, told in (
        (delivery(body), '{"name":"ü"}'),
        (delivery(body) | {"webhook-signature": f"v1,AAAA {delivery(body)['webhook-signature']}"}, '{"name":"ü"}'),
        (delivery(body, "whsec_b3RoZXI="), "the signature does not fit"),
        (stale, "no delivery of now"),
    ):
        found = run(str(NODE), "--input-type=module", "-e", script, SECRET, json.dumps(headers), body)
        assert found == [told]


@needs_node
def test_the_receiver_in_javascript_outlives_a_sender_that_breaks_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {**os.environ, "PORT": str(port), "WEBHOOK_SECRET": SECRET}
    command = [str(NODE), str(EXAMPLES / "webhooks/receiver.mjs")]
    with (
        httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client,
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as receiver,
    ):
        try:
            assert client.post(f"http://127.0.0.1:{port}", content=b"unsigned").status_code == 400
            with socket.create_connection(("127.0.0.1", port)) as sender:
                sender.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            body = '{"name": "x"}'
            assert client.post(f"http://127.0.0.1:{port}", content=body, headers=delivery(body)).status_code == 204
        finally:
            receiver.kill()


def test_every_example_is_told_of() -> None:
    told = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for file in sorted(EXAMPLES.rglob("*.*")):
        if file.is_file() and file.name != "README.md" and "__pycache__" not in file.parts:
            assert f"]({file.relative_to(EXAMPLES)})" in told, file
