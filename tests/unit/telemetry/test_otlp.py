"""Spans on their way to a collector: what it gets, and what happens while there is none."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import AsyncExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.bootstrap import traces as bootstrap
from app.bootstrap.traces import open_traces
from app.settings import load_settings
from tests.unit.engine.house import open_house, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.bootstrap.traces import Tracing
    from tests.unit.engine.house import House

KEY = "sk-collector-0123"


class Collector:
    """Takes spans over OTLP/HTTP, or refuses them."""

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[tuple[str, dict[str, str], ExportTraceServiceRequest]] = []
        self.came = threading.Event()
        self.url = ""

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for _, _, request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if collector.status == 200:
                headers = {name.lower(): value for name, value in self.headers.items()}
                collector.requests.append((self.path, headers, ExportTraceServiceRequest.FromString(body)))
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()
            collector.came.set()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own settings: a batch as soon as there is a span."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")


def wire(house: House, stack: AsyncExitStack, **settings: Any) -> Tracing:
    return open_traces(load_settings(**settings), house.bus, house.reads, "me", stack)


async def test_a_collector_gets_the_trace_of_an_execution() -> None:
    with collecting() as collector:
        async with open_house() as house, AsyncExitStack() as stack:
            headers = f"authorization=Bearer%20{KEY}"
            tracing = wire(
                house, stack, otel_exporter_otlp_endpoint=f"{collector.url}/", otel_exporter_otlp_headers=headers
            )
            thread_id = await house.run(step("a"))
            execution = await house.execution(thread_id)
        assert tracing.on
    path, sent, request = collector.requests[0]
    assert (path, sent["authorization"]) == ("/v1/traces", f"Bearer {KEY}")
    resource = {each.key: each.value.string_value for each in request.resource_spans[0].resource.attributes}
    assert (resource["service.name"], resource["service.instance.id"]) == ("backstitch", "me")
    found = {span.name: span for span in collector.spans}
    assert found.keys() == {"step a", "workflow sewing"}
    assert {span.trace_id.hex() for span in collector.spans} == {execution.id.replace("-", "")}
    assert found["step a"].parent_span_id == found["workflow sewing"].span_id
    assert found["workflow sewing"].end_time_unix_nano > found["workflow sewing"].start_time_unix_nano


async def test_a_collector_that_is_dead_hurts_nothing_and_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async with open_house() as house, AsyncExitStack() as stack:
        with caplog.at_level(logging.INFO):
            # Without a moment to try again in, so that the failure shows at once.
            tracing = wire(house, stack, otel_exporter_otlp_traces_endpoint="http://user:pass@127.0.0.1:9/v1/traces")
            tracing.traces.outlet.exporter._inner._client._timeout = 0.01  # type: ignore[union-attr]
            for _ in range(3):
                thread_id = await house.run(step("a"))
                assert (await house.thread(thread_id)).status == "completed"
            await house.until(lambda: tracing.health()["status"] == "degraded")
        began = monotonic()
        await stack.aclose()
        assert monotonic() - began < 5
    told = [record.message for record in caplog.records if "collector" in record.message]
    assert told == ["the collector at http://127.0.0.1:9 takes no spans: they are lost until it does"]
    assert "pass" not in caplog.text.replace("passed", "") + str(tracing.health())


async def test_a_collector_that_refuses_degrades_the_health_until_it_takes_them_again() -> None:
    with collecting() as collector:
        collector.status = 400
        async with open_house() as house, AsyncExitStack() as stack:
            tracing = wire(house, stack, otel_exporter_otlp_endpoint=collector.url)
            await house.run(step("a"))
            await house.until(lambda: tracing.health()["status"] == "degraded")
            collector.status = 200
            await house.run(step("a"))
            await house.until(lambda: tracing.health()["status"] == "ready")
        health = tracing.health()
    assert health["lost"] >= 1
    assert health["sent"] >= 1


async def test_a_collector_that_never_answers_does_not_hold_up_the_end() -> None:
    held = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with open_house() as house, AsyncExitStack() as stack:
        wire(house, stack, otel_exporter_otlp_endpoint=f"http://127.0.0.1:{port}")
        await house.run(step("a"))
        began = monotonic()
        await stack.aclose()
        assert monotonic() - began < 5
    held.set()
    server.close()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"otel_exporter_otlp_endpoint": "http://127.0.0.1:9", "otel_sdk_disabled": True},
        {"otel_exporter_otlp_endpoint": "http://127.0.0.1:9", "otel_traces_exporter": "none"},
    ],
)
async def test_nothing_is_traced_unless_a_collector_is_set(settings: dict[str, Any]) -> None:
    async with open_house() as house, AsyncExitStack() as stack:
        tracing = wire(house, stack, **settings)
        assert (tracing.on, tracing.health()) == (False, {"status": "ready", "traces": "off"})
        assert house.bus.watchers.all == []


async def test_it_says_in_one_line_that_the_extra_is_missing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bootstrap, "_installed", lambda _: False)
    async with open_house() as house, AsyncExitStack() as stack:
        tracing = wire(house, stack, otel_exporter_otlp_endpoint="http://127.0.0.1:9")
    assert not tracing.on
    assert [record.message for record in caplog.records] == [tracing.health()["detail"]]
    assert "pip install 'backstitch[otel]'" in caplog.text


@pytest.mark.parametrize("url", ["collector:4317", "grpc://collector:4317", "http://", "http://[secret"])
async def test_an_address_that_is_none_is_refused_without_being_told(url: str) -> None:
    async with open_house() as house, AsyncExitStack() as stack:
        tracing = wire(house, stack, otel_exporter_otlp_endpoint=url)
    assert not tracing.on
    assert tracing.health()["status"] == "degraded"
    assert "secret" not in str(tracing.health())
