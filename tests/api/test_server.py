"""The server itself: the port, the start that fails, the end in good order."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from app import bootstrap
from app.api import server as server_module
from app.api.server import Server, configure, listener
from app.domain.errors import StartupError
from tests.api.service import over_http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.service import Service


def test_a_taken_port_is_told_in_one_line() -> None:
    with listener("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartupError) as caught:
            listener("127.0.0.1", port)
    other = port + 1
    assert str(caught.value) == f"port {port} is taken: choose another with --port {other} (make run PORT={other})"


def test_an_address_that_is_not_ours_is_told_in_one_line() -> None:
    with pytest.raises(StartupError, match=r"^cannot listen on 192\.0\.2\.1:0: .+$"):
        listener("192.0.2.1", 0)


def test_a_host_that_does_not_resolve_is_told_in_one_line() -> None:
    with pytest.raises(StartupError, match=r"^the host a b cannot be resolved: .+$"):
        listener("a b", 0)


def _settings() -> Any:
    return SimpleNamespace(
        host="127.0.0.1", port=0, log_level="info", shutdown_grace_seconds=10.0, cors_allow_origins=()
    )


def test_a_start_that_fails_is_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def fails(_: Any) -> AsyncIterator[None]:
        raise StartupError("the database cannot be reached")
        yield

    _bootstrap(monkeypatch, fails)
    with pytest.raises(StartupError, match="the database cannot be reached"):
        server_module.run_server(_settings())


def test_sigterm_ends_the_server_before_the_services(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def opens(_: Any) -> AsyncIterator[Service]:
        asyncio.get_running_loop().call_later(0.05, signal.raise_signal, signal.SIGTERM)
        yield service
        seen.append(f"closed, shutting down {service.shutting_down.is_set()}")

    _bootstrap(monkeypatch, opens)
    server_module.run_server(_settings())
    assert seen == ["closed, shutting down True"]


def test_sigterm_ends_a_start_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def opens(_: Any) -> AsyncIterator[None]:
        asyncio.get_running_loop().call_later(0.05, signal.raise_signal, signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("closed")
        yield

    _bootstrap(monkeypatch, opens)
    server_module.run_server(_settings())
    assert seen == ["closed"]


async def test_requests_are_logged_at_debug_only(service: Service) -> None:
    assert configure(None, "debug").access_log
    assert not configure(None, "info").access_log
    async with over_http(service) as served:
        assert isinstance(served.server, Server)
        assert (await served.http.get("/api/health/live")).status_code == 200


def _bootstrap(monkeypatch: pytest.MonkeyPatch, open_services: Any) -> None:
    monkeypatch.setattr(bootstrap, "open_services", open_services)
    monkeypatch.setattr(bootstrap, "tune_garbage_collector", lambda: None)


async def test_sigterm_sets_the_deadline(service: Service) -> None:
    services: Any = service
    deadline = server_module.Deadline(60)
    server = Server(configure(None, "info"), services, deadline)
    server._stop(signal.SIGTERM, None)
    assert server.should_exit
    assert deadline._timer is not None
    assert deadline._timer.is_alive()
    deadline.close()


@pytest.mark.parametrize("lifted", [False, True])
def test_the_deadline_ends_the_process_unless_it_is_lifted(monkeypatch: pytest.MonkeyPatch, lifted: bool) -> None:
    ended = threading.Event()
    monkeypatch.setattr(server_module.os, "_exit", lambda code: ended.set())
    monkeypatch.setattr(server_module.logging, "shutdown", lambda: None)
    deadline = server_module.Deadline(60 if lifted else 0.01)
    deadline.set()
    if lifted:
        deadline.close()
    assert deadline._timer is not None
    deadline._timer.join(5)
    assert ended.is_set() is not lifted
