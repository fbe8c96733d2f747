"""Sessions with MCP servers, against real processes: shared, reopened, cancelled, followed, and ended for sure."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from app.domain.runner import StepFailure
from app.runners import mcp_servers
from app.runners.mcp_config import ServerConfig
from app.runners.mcp_servers import McpServers, pause_after
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

TESTS = Path(__file__).parents[2]
PLAIN, SDK = TESTS / "mcp_plain.py", TESTS / "mcp_server.py"
PATIENCE = 30.0
LIMIT = 100_000
TOKEN = "sesame"


class House:
    """Open servers, with one named `t` on which most is tried."""

    def __init__(self, servers: McpServers, marks: Path) -> None:
        self.servers = servers
        self._marks = marks

    @property
    def marks(self) -> list[str]:
        """What the server has written down."""
        return self._marks.read_text().splitlines() if self._marks.exists() else []

    async def call(self, tool: str, server: str = "t", **arguments: Any) -> Any:
        """The value of a call."""
        return (await self.servers.call(server, tool, arguments, key="a:b:c")).value

    async def refused(self, tool: str, server: str = "t", **arguments: Any) -> StepFailure:
        """The failure of a call."""
        with pytest.raises(StepFailure) as caught:
            await self.call(tool, server, **arguments)
        return caught.value

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for something that another process does."""
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.01)

    def pids(self) -> list[int]:
        """The processes that were started, as they wrote it down."""
        return [int(mark.split()[1]) for mark in self.marks if mark.startswith("started")]


def stdio(name: str, script: Path, *arguments: str, **more: Any) -> ServerConfig:
    """A server of tests/ on pipes."""
    return ServerConfig(name=name, command=sys.executable, args=(str(script), *arguments), **more)


@asynccontextmanager
async def house(*configs: ServerConfig, marks: Path, patience: float = 2 * PATIENCE) -> AsyncGenerator[House]:
    """Servers, until the block ends."""
    async with asyncio.timeout(patience):
        async with McpServers({one.name: one for one in configs}, max_bytes=LIMIT).open() as servers:
            yield House(servers, marks)


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncGenerator[House]:
    """The plain server, on pipes."""
    marks = tmp_path / "marks"
    server = stdio("t", PLAIN, "--marks", str(marks), env={"OURS": "yes"}, secrets=frozenset({TOKEN}))
    async with house(server, marks=marks) as found:
        yield found


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


async def test_calls_share_one_process_and_run_side_by_side(plain: House) -> None:
    hanging = asyncio.create_task(plain.call("hang"))
    await plain.until(lambda: "hang a:b:c" in plain.marks)
    assert await asyncio.gather(*(plain.call("echo", text=str(n)) for n in range(20))) == [str(n) for n in range(20)]
    assert len(plain.pids()) == 1
    hanging.cancel()


async def test_a_server_is_started_when_it_is_first_wanted(plain: House) -> None:
    assert (plain.servers.reports()[0].status, plain.servers.known_tools("t")) == ("idle", None)
    names = [tool.name for tool in await plain.servers.list("t")]
    assert "echo" in names
    assert len(names) > 10, "all pages are read"
    report = plain.servers.reports()[0]
    assert (report.status, report.kind, report.error, len(report.tools)) == ("connected", "stdio", None, len(names))


async def test_warming_up_fills_what_is_known(plain: House) -> None:
    plain.servers.warm_up()
    await plain.until(lambda: plain.servers.known_tools("t"))


async def test_a_server_sees_its_own_variables_and_none_of_the_services(
    plain: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "sesame")
    found = await plain.call("env")
    assert found["OURS"] == "yes"
    assert "DATABASE_PASSWORD" not in found


async def test_an_unknown_server_tool_and_wrong_arguments_never_reach_a_server(plain: House) -> None:
    assert (await plain.refused("echo", server="nobody")).kind == "configuration"
    assert (await plain.refused("nothing")).kind == "mcp.unknown_tool"
    wrong = [
        await plain.refused("echo"),
        await plain.refused("echo", text=1),
        await plain.refused("echo", text="\ud800"),
    ]
    assert [(one.kind, one.retryable) for one in wrong] == [("validation", False)] * 3
    assert [mark for mark in plain.marks if not mark.startswith("started")] == []


async def test_a_tool_that_is_new_is_found_when_it_is_called(plain: House) -> None:
    session = await plain.servers._servers["t"].session()
    await plain.call("grow", name="echo2")
    session.tools = session.tools[:3]
    assert (await plain.refused("echo2")).kind == "mcp.server_error"  # it got there


async def test_a_complaint_of_a_tool_tells_no_secret_of_the_operators_file(plain: House) -> None:
    result = await plain.servers.call("t", "fail", {"why": f"401 for token {TOKEN}"}, key="k")
    assert (result.is_error, result.text) == (True, "401 for token ***")


async def test_a_change_of_the_tools_is_followed(plain: House) -> None:
    await plain.call("grow", name="fresh")
    await plain.until(lambda: "fresh" in [tool.name for tool in plain.servers.known_tools("t") or ()])


async def test_progress_is_told_as_a_fraction(plain: House) -> None:
    told: list[Any] = []
    await plain.servers.call("t", "walk", {}, key="k", progress=lambda *one: told.append(one))
    assert told == [(0.5, "1"), (1.0, "2")]


async def test_a_cancelled_call_is_cancelled_there_too(plain: House) -> None:
    hanging = asyncio.create_task(plain.call("hang"))
    await plain.until(lambda: "hang a:b:c" in plain.marks)
    hanging.cancel()
    await plain.until(lambda: any(mark.startswith("cancelled") for mark in plain.marks))
    assert await plain.call("echo", text="still there") == "still there"


async def test_a_process_that_dies_fails_what_is_in_flight_and_is_started_again(plain: House) -> None:
    hanging = asyncio.create_task(plain.refused("hang"))
    await plain.until(lambda: "hang a:b:c" in plain.marks)
    for failure in (await plain.refused("leave", code=4), await hanging):
        assert (failure.kind, failure.retryable) == ("mcp.disconnected", True)
        assert "exited with code 4: the last words" in str(failure)
    assert await plain.call("echo", text="again") == "again"
    assert len(plain.pids()) == 2


async def test_a_process_that_is_killed_while_nobody_calls_is_replaced(plain: House) -> None:
    await plain.call("echo", text="a")
    os.kill(plain.pids()[0], signal.SIGKILL)
    await plain.until(lambda: len(plain.pids()) == 2)
    assert await plain.call("echo", text="b") == "b"


async def test_a_command_that_cannot_be_started_fails_its_calls_and_nothing_else(tmp_path: Path) -> None:
    nothing = ServerConfig(name="t", command=str(tmp_path / "nothing"))
    async with house(nothing, stdio("good", PLAIN), marks=tmp_path / "marks") as found:
        failure = await found.refused("echo", text="x")
        assert (failure.kind, failure.retryable) == ("mcp.disconnected", True)
        assert f"the command '{nothing.command}' was not found, there is no such file: install it, or " in str(failure)
        assert "its output ended" not in str(failure)
        assert await found.call("echo", "good", text="x") == "x"
        assert {one.name: one.status for one in found.servers.reports()} == {"good": "connected", "t": "failed"}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            {"command": "mcp-nothing"},
            "the command 'mcp-nothing' was not found, it is not on the PATH of the service: install it",
        ),
        (
            {"command": str(PLAIN)},
            f"the command '{PLAIN}' cannot be run: Permission denied; correct `command` of the server 't'",
        ),
        (
            {"command": sys.executable, "cwd": "/nowhere/at/all"},
            "its folder /nowhere/at/all cannot be entered: No such file",
        ),
    ],
)
async def test_who_starts_no_command_is_told_what_to_install_or_correct(
    tmp_path: Path, config: dict[str, Any], told: str
) -> None:
    async with house(ServerConfig(name="t", **config), marks=tmp_path / "marks") as found:
        assert told in str(await found.refused("echo", text="x"))
        assert told in str(found.servers.reports()[0].error)


async def test_a_process_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    code = "import sys; print('no ${TOKEN} sesame', file=sys.stderr); sys.exit(7)"
    server = ServerConfig(name="t", command=sys.executable, args=("-c", code), secrets=frozenset({"sesame"}))
    async with house(server, marks=tmp_path / "marks") as found:
        failure = await found.refused("echo", text="x")
        assert "exited with code 7: no ${TOKEN} ***" in str(failure)
        again = await found.refused("echo", text="x")
        assert again.retry_after is None or 0 < again.retry_after <= mcp_servers.LONGEST_PAUSE


async def test_an_answer_that_is_too_long_fails_its_call_alone(plain: House) -> None:
    for tool in ("huge", "huge_backwards"):
        for size in (2 * LIMIT, 5 * LIMIT):
            failure = await plain.refused(tool, size=size)
            assert (failure.kind, failure.retryable) == ("output_too_large", False), (tool, size)
    assert await plain.call("huge", size=1000) == "x" * 1000
    assert len(plain.pids()) == 1


async def test_what_is_no_message_harms_nothing(plain: House) -> None:
    assert await plain.call("garbage") == "after the garbage"
    assert (await plain.refused("surrogate")).kind == "mcp.protocol"
    assert await plain.call("echo", text="x") == "x"


async def test_what_a_server_says_on_stderr_is_logged(plain: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "app.runners"):
        await plain.refused("leave")
    assert "mcp server t: the last words" in caplog.messages


async def test_secrets_are_taken_out_of_what_a_server_says(plain: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "app.runners"):
        failure = await plain.refused("leave", words=f"refused: Bearer {TOKEN}")
    assert str(failure).endswith("exited with code 3: refused: Bearer ***")
    assert TOKEN not in caplog.text


async def test_closing_ends_the_processes_also_one_that_hears_nothing(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    deaf = stdio("t", PLAIN, "--marks", str(marks), "--deaf")
    async with house(deaf, stdio("good", PLAIN, "--marks", str(marks)), marks=marks) as found:
        await asyncio.gather(found.call("echo", text="x"), found.call("echo", "good", text="x"))
        hanging = asyncio.create_task(found.refused("hang"))
        await found.until(lambda: "hang a:b:c" in found.marks)
        pids = found.pids()
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
    assert (await hanging).kind == "mcp.disconnected"


async def test_closing_does_not_wait_for_a_server_that_never_shook_hands(tmp_path: Path) -> None:
    silent = ServerConfig(name="t", command=sys.executable, args=("-c", "import time; time.sleep(600)"))
    async with house(silent, marks=tmp_path / "marks", patience=15) as found:
        waiting = asyncio.create_task(found.refused("echo", text="x"))
        server = found.servers._servers["t"]
        await found.until(lambda: server._session is not None and server._session._child is not None)
        child = server._session._child  # type: ignore[union-attr]
        assert child is not None
        await found.until(lambda: child._process is not None)
    assert gone(child.process.pid)
    assert (await waiting).kind == "mcp.disconnected"


def test_the_pause_before_a_server_is_tried_again_grows_and_is_bounded() -> None:
    assert [pause_after(n, connected=False) for n in (1, 2, 3, 50)] == [0.5, 1.0, 2.0, 30.0]
    assert [pause_after(n, connected=True) for n in (1, 2, 3)] == [0.0, 0.5, 1.0]


# ---- over HTTP


@asynccontextmanager
async def endpoint(
    script: Path, port_option: str, marks: Path, port: int | None = None, *more: str
) -> AsyncGenerator[int]:
    """An HTTP server of tests/ as a process; its port."""
    port = port or free_port()
    arguments = (str(script), port_option, str(port), "--marks", str(marks), *more)
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.02)
        yield port
    finally:
        process.kill()
        await process.wait()


def web(port: int, token: str = TOKEN) -> ServerConfig:
    """That server, reached over HTTP."""
    headers = {"Authorization": f"Bearer {token}"}
    return ServerConfig(name="t", url=f"http://127.0.0.1:{port}/mcp", headers=headers, secrets=frozenset({token}))


async def test_an_endpoint_of_today_with_progress_cancellation_and_changes(tmp_path: Path) -> None:
    marks, told = tmp_path / "marks", list[Any]()
    async with endpoint(SDK, "--http", marks) as port, house(web(port), marks=marks) as found:
        assert await found.call("echo", value={"n": None}) == {"value": {"n": None}, "key": "a:b:c"}
        await found.servers.call("t", "walk", {"steps": 2}, key="k", progress=lambda *one: told.append(one))
        assert told == [(0.5, "step 1"), (1.0, "step 2")]
        napping = asyncio.create_task(found.call("nap", seconds=600))
        await found.until(lambda: "nap begun" in found.marks)
        napping.cancel()
        await found.until(lambda: "nap cancelled" in found.marks)
        for streamed in (False, True):
            assert (await found.refused("big", size=5 * LIMIT, streamed=streamed)).kind == "output_too_large"
        await found.call("grow", name="fresh")
        await found.until(lambda: "fresh" in [tool.name for tool in found.servers.known_tools("t") or ()])


async def test_an_endpoint_of_2025_that_was_restarted_gets_a_new_session(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        async with endpoint(PLAIN, "--port", marks, port):
            found = await stack.enter_async_context(house(web(port), marks=marks))
            assert await found.call("echo", text="a") == "a"
        async with endpoint(PLAIN, "--port", marks, port):
            failure = await found.refused("echo", text="b")
            assert (failure.kind, failure.retryable) == ("mcp.disconnected", True)
            assert await found.call("echo", text="c") == "c"


async def test_a_status_of_an_endpoint_is_the_kind_of_the_failure(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    async with endpoint(PLAIN, "--port", marks) as port, house(web(port), marks=marks) as found:
        busy = await found.refused("refuse")
        assert (busy.kind, busy.retryable, busy.retry_after) == ("http.503", True, 7)
        assert await found.call("echo", text="a") == "a"


async def test_a_request_that_is_lost_on_the_way_fails_no_other(tmp_path: Path) -> None:
    marks, go = tmp_path / "marks", tmp_path / "go"
    async with endpoint(PLAIN, "--port", marks) as port, house(web(port), marks=marks) as found:
        waiting = asyncio.create_task(found.call("wait", path=str(go)))
        await found.until(lambda: "wait a:b:c" in found.marks)
        lost = await found.refused("drop")
        assert (lost.kind, lost.retryable) == ("mcp.disconnected", True)
        go.touch()
        assert await waiting == "waited"


async def test_an_answer_of_an_endpoint_that_is_too_long_fails_its_call(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    async with endpoint(PLAIN, "--port", marks) as port, house(web(port), marks=marks) as found:
        failure = await found.refused("huge", size=5 * LIMIT)
        assert failure.kind == "output_too_large"
        assert "the answer is longer than" in str(failure), "it is not even read to its end"
        assert await found.call("echo", text="a") == "a"


async def test_closing_does_not_wait_for_an_endpoint_that_holds_on(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    async with endpoint(PLAIN, "--port", marks, None, "--deaf") as port:
        async with house(web(port), marks=marks) as found:
            await found.call("echo", text="a")
        assert "deleted" in found.marks


async def test_an_endpoint_that_refuses_the_token_says_so_without_it(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    async with endpoint(PLAIN, "--port", marks) as port, house(web(port, "wrong-token"), marks=marks) as found:
        failure = await found.refused("echo", text="a")
        assert "HTTP 401" in str(failure)
        assert "wrong-token" not in str(failure)


async def test_an_endpoint_that_is_not_there_is_tried_again_until_it_is(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    port = free_port()
    async with house(web(port), marks=marks) as found:
        assert (await found.refused("echo", text="a")).kind == "mcp.disconnected"
        async with endpoint(PLAIN, "--port", marks, port):
            await found.until(lambda: found.servers.reports()[0].status == "connected")
            assert await found.call("echo", text="b") == "b"
