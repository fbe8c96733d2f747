"""Steps that call tools of real MCP servers: their outputs, their failures, and a kill -9 in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.acceptance import sse
from tests.acceptance.service import ROOT, Service, free_port, run_cli, running, waiting

if TYPE_CHECKING:
    from collections.abc import Generator

EXAMPLE = ROOT / "docs/examples/mcp"
PLAIN, SDK = ROOT / "tests/mcp_plain.py", ROOT / "tests/mcp_server.py"
QUICK = {"initial_interval": "50ms", "jitter": False}


def entry(script: Path, *arguments: object, **more: Any) -> dict[str, Any]:
    """A server of tests/ on pipes."""
    return {"command": sys.executable, "args": [str(script), *(str(one) for one in arguments)], **more}


def configured(folder: Path, **servers: dict[str, Any]) -> Path:
    """The operator's file."""
    file = folder / "servers.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    return file


def mcp(step: str, tool: str, server: str = "tester", *, more: dict[str, Any] | None = None, **arguments: Any) -> Any:
    """A step that calls a tool."""
    return {"id": step, "mcp": {"server": server, "tool": tool, "arguments": arguments}, **(more or {})}


def flow(*steps: Any) -> dict[str, Any]:
    """A workflow of these steps."""
    return {"name": "tools", "steps": list(steps)}


def standing(service: Service, *, status: str = "connected") -> list[dict[str, Any]]:
    """The servers, once all of them stand so."""
    for _ in waiting(f"all servers are {status}"):
        found = service.get("/api/mcp/servers")["servers"]
        if all(one["status"] == status for one in found):
            return found
    raise AssertionError


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared service is."""
    return tmp_path_factory.mktemp("mcp")


@pytest.fixture(scope="module")
def served(folder: Path) -> Generator[Service]:
    """A service with the two test servers and one that cannot be started."""
    file = configured(
        folder,
        tester=entry(SDK, "--marks", folder / "marks", env={"TOKEN": "${TESTER_TOKEN}"}),
        plain=entry(PLAIN),
        broken={"command": sys.executable, "args": ["-c", "import sys; sys.exit('no ${TESTER_TOKEN}')"]},
    )
    with running(folder / "service", CHECKPOINTER="memory", MCP_SERVERS=file, TESTER_TOKEN="sesame") as service:
        for _ in waiting("the servers are there"):
            found = {one["name"]: one["status"] for one in service.get("/api/mcp/servers")["servers"]}
            if found == {"tester": "connected", "plain": "connected", "broken": "failed"}:
                break
        yield service


def test_the_example_of_the_docs_runs_on_the_real_servers(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    git = ["git", "-C", str(repository), "-c", "user.name=me", "-c", "user.email=me@example.org"]
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    (repository / "untracked").touch()
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "Begin"], check=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = {"MCP_SERVERS": EXAMPLE / "servers.json", "REPOSITORY": repository, "PATH": path}
    with running(
        tmp_path / "service", CHECKPOINTER="memory", WORKFLOWS_DIR=EXAMPLE / "workflows", **settings
    ) as service:
        done = service.run("repository-report", {"repository": str(repository)})
        assert done["status"] == "completed", done["error"]
        assert "untracked" in done["output"]["status"]
        assert "Begin" in done["output"]["log"]
        assert done["output"]["in_paris"].startswith("20")
        assert {one["name"] for one in standing(service)} == {"git", "time"}
        final = service.run(flow(mcp("a", "git_log", "git", repo_path=str(tmp_path / "elsewhere"), max_count=1)))
        assert (final["status"], final["error"]["kind"]) == ("failed", "mcp.tool_error")


def test_the_page_shows_the_example_as_it_is() -> None:
    page = (ROOT / "docs/mcp-steps.md").read_text("utf-8")
    for file in ("servers.json", "workflows/repository-report.yaml"):
        assert (EXAMPLE / file).read_text("utf-8") in page


def test_a_value_goes_through_a_tool_as_it_is_with_the_key_of_its_step(served: Service) -> None:
    value = {"null": None, "big": 10**30, "text": "\x00 é", "list": [1.5, True]}
    steps = (mcp("a", "echo", value="{input}"), mcp("b", "echo", value={"was": "{a.output.value.big}"}))
    done = served.run(flow(*steps), value)
    assert done["status"] == "completed", done["error"]
    assert done["output"]["b"]["value"] == {"was": 10**30}
    first = served.get(f"/api/workflow/execution/{done['execution_id']}")["steps"][0]["output"]
    assert first == {"value": value, "key": f"{done['thread_id']}:{done['execution_id']}:a"}


def test_a_tools_complaint_is_tried_again_unless_the_step_says_otherwise(served: Service) -> None:
    twice = served.run(flow(mcp("a", "fail", "plain", why="busy", more={"retry": {**QUICK, "max_attempts": 2}})))
    assert (twice["error"]["kind"], twice["error"]["message"], twice["steps"][0]["attempt"]) == (
        "mcp.tool_error",
        "busy",
        2,
    )
    once = served.run(flow(mcp("a", "fail", "plain", more={"retry": {**QUICK, "on": ["mcp.disconnected", "timeout"]}})))
    assert (once["error"]["kind"], once["steps"][0]["attempt"]) == ("mcp.tool_error", 1)


def test_a_server_that_dies_is_started_again_for_the_next_attempt(served: Service) -> None:
    done = served.run(flow(mcp("a", "leave", more={"retry": {**QUICK, "max_attempts": 2}}), mcp("b", "pid")))
    assert (done["error"]["kind"], done["steps"][0]["attempt"]) == ("mcp.disconnected", 2)
    assert "exited with code 3: leaving now" in done["error"]["message"]
    assert served.run(flow(mcp("b", "pid", more={"retry": {**QUICK, "max_attempts": 9}})))["status"] == "completed"


def test_progress_of_a_tool_is_progress_of_the_step(served: Service) -> None:
    thread = served.start_thread(flow(mcp("a", "walk", steps=3)))
    assert served.until(thread)["status"] == "completed"
    told = [one["data"] for one in sse.whole(served, thread) if one["event"] == "step_progress"]
    assert told
    assert told[-1]["message"].startswith("step ")


def test_a_timeout_cancels_the_call(served: Service, folder: Path) -> None:
    nap = mcp("a", "nap", seconds=600, name="timed", more={"timeout": "300ms", "retry": {"max_attempts": 1}})
    assert served.run(flow(nap))["error"]["kind"] == "timeout"
    for _ in waiting("the tool is told"):
        if "timed cancelled" in (folder / "marks").read_text().splitlines():
            break


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (mcp("a", "echo", "nobody"), "no MCP server is configured as 'nobody'; known: broken, plain, tester"),
        (mcp("a", "nothing"), "the MCP server 'tester' has no tool 'nothing'"),
        (mcp("a", "echo"), '"value" is a required property'),
        (mcp("a", "nap", seconds="long"), '/seconds: "long" is not of type "number"'),
    ],
)
def test_what_is_known_to_be_wrong_is_told_at_registration(served: Service, step: Any, told: str) -> None:
    judged = served.post("/api/workflows/validate", flow(step), expect=200)
    assert [one["pointer"] for one in judged["problems"]] == ["/steps/0/mcp"]
    assert told in judged["problems"][0]["message"]


def test_what_only_shows_when_the_step_runs_is_final(served: Service) -> None:
    done = served.run(flow(mcp("a", "echo", "plain", text="{input.n}")), {"n": 3})
    assert (done["error"]["kind"], done["steps"][0]["attempt"]) == ("validation", 1)


def broken(served: Service) -> str:
    """Why the server that cannot be started was not, once that is known."""
    for _ in waiting("the server that cannot be started to be told of"):
        listed = served.get("/api/mcp/servers")["servers"]
        if error := next(one["error"] for one in listed if one["name"] == "broken"):
            return error
    raise AssertionError


def test_a_server_that_cannot_be_started_degrades_the_health_and_fails_its_steps(served: Service) -> None:
    for _ in waiting("the server that cannot be started to be told of"):
        whole = served.get("/api/health")
        if whole["status"] == "degraded":
            break
    assert "broken" in whole["parts"]["mcp"]["detail"]
    done = served.run(flow(mcp("a", "x", "broken", more={"retry": {"max_attempts": 1}})))
    assert (done["error"]["kind"], done["error"]["retryable"]) == ("mcp.disconnected", True)


def test_no_answer_shows_a_secret(served: Service) -> None:
    assert "no ***" in broken(served)
    listed = served.http.get("/api/mcp/servers")
    assert "sesame" not in listed.text + served.http.get("/api/health").text + served.log.read_text()
    assert served.run(flow(mcp("a", "environment", name="TOKEN")))["output"]["a"] == {"result": "sesame"}


@pytest.mark.parametrize(
    "content", ["{", '{"mcpServers": {"git": {"command": "x", "env": {"A": "${NOT_SET_ANYWHERE}"}}}}']
)
def test_a_file_that_is_wrong_keeps_the_service_from_starting(tmp_path: Path, content: str) -> None:
    file = tmp_path / "servers.json"
    file.write_text(content)
    ended = run_cli("serve", "--port", str(free_port()), cwd=tmp_path, CHECKPOINTER="memory", MCP_SERVERS=file)
    assert ended.returncode != 0
    (line,) = [line for line in ended.stderr.splitlines() if "MCP_SERVERS" in line]
    assert "NOT_SET_ANYWHERE" in line or "neither JSON nor YAML" in line


def test_kill_9_in_the_middle_of_a_call_repeats_that_call_alone_and_leaves_no_process(tmp_path: Path) -> None:
    marks, go = tmp_path / "marks", tmp_path / "go"
    file = configured(tmp_path, tester=entry(SDK, "--marks", marks), plain=entry(PLAIN, "--marks", marks))
    steps = (
        mcp("before", "echo", value={"n": 1}),
        mcp("plain", "echo", "plain", text="x"),
        mcp("middle", "wait_for", path=str(go), name="middle"),
        mcp("after", "echo", value={"n": 2}),
    )
    with running(tmp_path / "service", MCP_SERVERS=file) as service:
        thread = service.start_thread(flow(*steps))
        for _ in waiting("the call in the middle has begun"):
            if marks.exists() and "middle begun" in marks.read_text():
                break
        service.kill()
        children = [int(mark.split()[1]) for mark in marks.read_text().splitlines() if mark.startswith("started")]
        for _ in waiting("the servers end with their stdin"):
            if all(gone(pid) for pid in children):
                break
        go.touch()
        service.start().ready()
        done = service.until(thread)
    assert done["status"] == "completed", done["error"]
    called = marks.read_text().splitlines()
    key = f"{thread}:{done['execution_id']}"
    assert [called.count(mark) for mark in (f"echo {key}:before", f"echo {key}:plain", f"echo {key}:after")] == [
        1,
        1,
        1,
    ]
    assert (called.count("middle begun"), called.count("middle done")) == (2, 1)


def test_sigterm_ends_in_time_with_a_server_that_hears_nothing(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    file = configured(tmp_path, deaf=entry(PLAIN, "--marks", marks, "--deaf"))
    with running(tmp_path / "service", CHECKPOINTER="memory", MCP_SERVERS=file, SHUTDOWN_GRACE_SECONDS=1) as service:
        service.start_thread(flow(mcp("a", "hang", "deaf")))
        for _ in waiting("the call has begun"):
            if marks.exists() and "hang" in marks.read_text():
                break
        began = time.monotonic()
        assert service.stop() == 0
        took = time.monotonic() - began
        pid = int(marks.read_text().splitlines()[0].split()[1])
        assert gone(pid)
        assert took < 1 + 10, took


def npm_server(package: str) -> str:
    """The program of a server of npm, if it is in npm's cache; else the test is skipped."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("npx is not here")
    name = f"@modelcontextprotocol/{package}"
    command = [npx, "--offline", "--yes", f"--package={name}", "-c", f"command -v mcp-{package}"]
    found = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    if found.returncode != 0:
        pytest.skip(f"{name} is not in npm's cache (npx --yes {name} puts it there)")
    return found.stdout.strip()


def test_the_everything_server_of_npm(tmp_path: Path) -> None:
    file = configured(tmp_path, everything={"command": npm_server("server-everything"), "args": ["stdio"]})
    with running(tmp_path / "service", CHECKPOINTER="memory", MCP_SERVERS=file) as service:
        standing(service)
        steps = (
            mcp("sum", "get-sum", "everything", a=2, b=3),
            mcp("weather", "get-structured-content", "everything", location="Chicago"),
            mcp("image", "get-tiny-image", "everything"),
            mcp("long", "trigger-long-running-operation", "everything", duration=0.4, steps=4),
        )
        thread = service.start_thread(flow(*steps))
        done = service.until(thread)
        assert done["status"] == "completed", done["error"]
        outputs = service.get(f"/api/workflow/execution/{done['execution_id']}")["steps"]
        assert "5" in outputs[0]["output"]
        assert outputs[1]["output"].keys() >= {"temperature"}
        assert [block["type"] for block in outputs[2]["output"]] == ["text", "image", "text"]
        assert any(one["event"] == "step_progress" for one in sse.whole(service, thread))


def test_the_filesystem_server_of_npm(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    file = configured(tmp_path, files={"command": npm_server("server-filesystem"), "args": [str(shared)]})
    with running(tmp_path / "service", CHECKPOINTER="memory", MCP_SERVERS=file) as service:
        standing(service)
        write = mcp("write", "write_file", "files", path=str(shared / "note"), content="{input}")
        read = mcp("read", "read_text_file", "files", path=str(shared / "note"))
        done = service.run(flow(write, read), "written by a step")
        assert done["status"] == "completed", done["error"]
        assert "written by a step" in json.dumps(done["output"]["read"])
        once = {"retry": {"max_attempts": 1}}
        outside = service.run(flow(mcp("a", "read_text_file", "files", path="/etc/hostname", more=once)))
        assert outside["error"]["kind"] == "mcp.tool_error"
