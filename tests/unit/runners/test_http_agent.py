"""The agent kind http, against a real server: what it sends, what it shows, what comes of it, and where it stops."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from app.domain.agents import Agent
from app.domain.runner import Completed, Failed
from app.runners.http_agent import HttpAgentKind
from app.runners.http_client import HttpClient
from app.runners.secret_values import Secrets
from tests.serving import served
from tests.unit.runners.attempts import Context, attempt_with

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from starlette.requests import Request

TOKEN = "s3cret-token-0123456789"
SSE, NDJSON = "text/event-stream", "application/x-ndjson"


class Server:
    """Answers `/` with `answer`, streams what `pieces` are; `/to?url` redirects; `/echo` says what it was sent."""

    def __init__(self) -> None:
        self.answer: Any = Response(b"{}", media_type="application/json")
        self.pieces: list[bytes] = []
        self.media_type = SSE
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.breaks = False
        self.hold = asyncio.Event()
        self.url = ""
        methods = ["GET", "POST", "PUT"]
        self.app = Starlette(
            routes=[
                Route("/to", self._redirect, methods=methods),
                Route("/stream", self._stream, methods=methods),
                Route("/echo", self._echo, methods=methods),
                Route("/{path:path}", self._answer, methods=methods),
            ]
        )

    async def _note(self, request: Request) -> None:
        path = request.scope["raw_path"].decode()
        query = request.scope["query_string"].decode()
        target = f"{path}?{query}" if query else path
        self.asked.append((request.method, target, dict(request.headers), await request.body()))

    async def _answer(self, request: Request) -> Response:
        await self._note(request)
        return self.answer

    async def _echo(self, request: Request) -> Response:
        await self._note(request)
        return JSONResponse({"headers": dict(request.headers)}, 500 if "fail" in request.query_params else 200)

    async def _redirect(self, request: Request) -> Response:
        await self._note(request)
        return RedirectResponse(request.query_params["url"], int(request.query_params.get("status", 307)))

    async def _stream(self, request: Request) -> Response:
        await self._note(request)
        return StreamingResponse(self._pieces(), media_type=self.media_type)

    async def _pieces(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
            await asyncio.sleep(0)
        if self.breaks:
            raise ConnectionResetError
        if self.hold.is_set():
            await asyncio.Event().wait()


@pytest.fixture
async def server() -> AsyncGenerator[Server]:
    server = Server()
    async with served(server.app) as server.url:
        yield server


def kind_of(**options: Any) -> HttpAgentKind:
    given: dict[str, Any] = {"secret": {"TOKEN": f"{TOKEN}\n"}.get, "api_secrets": (), "allow_private": True}
    given |= options
    secrets = Secrets(given["secret"], frozenset(given["api_secrets"]))
    max_bytes = options.get("max_bytes", 100_000)
    return HttpAgentKind(HttpClient(), secrets, allow_private=given["allow_private"], max_bytes=max_bytes)


def agent(source: str = "file", **config: Any) -> Agent:
    jsonschema_rs.validate(dict(kind_of().config_schema()), config)
    return Agent(name="a", kind="http", config=config, source=source)


async def ask(
    what: Agent, given: Any = None, context: Context | None = None, **options: Any
) -> tuple[Completed | Failed, Context]:
    kind, context = kind_of(**options), context or Context()
    try:
        outcome = await kind.perform(what, attempt_with(context, given))
    finally:
        await kind.aclose()
    assert isinstance(outcome, Completed | Failed)
    return outcome, context


async def output(what: Agent, given: Any = None, **options: Any) -> Any:
    outcome, _ = await ask(what, given, **options)
    assert isinstance(outcome, Completed), outcome
    return outcome.output


async def error(what: Agent, given: Any = None, **options: Any) -> tuple[str, bool, str]:
    outcome, _ = await ask(what, given, **options)
    assert isinstance(outcome, Failed), outcome
    return outcome.error.kind, outcome.error.retryable, outcome.error.message


async def test_the_input_goes_out_as_json_and_the_body_is_the_output(server: Server) -> None:
    server.answer = JSONResponse({"score": 0.5})
    assert await output(agent(url=f"{server.url}/x"), {"topic": ["a", None]}) == {"score": 0.5}
    ((method, path, headers, body),) = server.asked
    assert (method, path, json.loads(body)) == ("POST", "/x", {"topic": ["a", None]})
    assert (headers["idempotency-key"], headers["content-type"]) == ("t:e:s", "application/json")


@pytest.mark.parametrize(("headers", "sent"), [({}, "00-ours"), ({"traceparent": "theirs"}, "theirs")])
async def test_the_trace_is_carried_on_unless_the_agent_says_otherwise(
    server: Server, headers: dict[str, str], sent: str
) -> None:
    await ask(agent(url=server.url, headers=headers), None, context=Context(traceparent="00-ours"))
    assert server.asked[0][2]["traceparent"] == sent


async def test_url_query_headers_and_body_are_templates(server: Server) -> None:
    what = agent(
        url=server.url + "/items/{input.id}/x",
        method="PUT",
        query={"q": "{input.tags}", "n": 7},
        headers={"X-Who": "user {input.id}", "Authorization": {"env": "TOKEN", "prefix": "Bearer "}},
        body={"id": "{input.id}", "kept": "{{}}"},
    )
    await output(what, {"id": "a/../b?c", "tags": ["x y", "z"]})
    ((method, path, headers, body),) = server.asked
    assert (method, path) == ("PUT", "/items/a%2F..%2Fb%3Fc/x?q=x+y&q=z&n=7")
    assert (headers["x-who"], headers["authorization"]) == ("user a/../b?c", f"Bearer {TOKEN}")
    assert json.loads(body) == {"id": "a/../b?c", "kept": "{}"}


@pytest.mark.parametrize("value", ["..", ".", ""])
async def test_no_value_leads_up_in_the_path(server: Server, value: str) -> None:
    kind, retryable, _ = await error(agent(url=server.url + "/items/{input}/x"), value)
    assert (kind, retryable, server.asked) == ("expression", False, [])


async def test_a_get_sends_no_body_and_a_text_of_another_type_goes_as_it_is(server: Server) -> None:
    await output(agent(url=server.url, method="GET"), {"a": 1})
    await output(agent(url=server.url, body="hi {input.a}", headers={"Content-Type": "text/plain"}), {"a": 1})
    assert [body for *_, body in server.asked] == [b"", b"hi 1"]


async def test_the_output_may_be_a_template_over_the_answer(server: Server) -> None:
    server.answer = JSONResponse({"a": [1, 2]}, 201, {"x-id": "7"})
    what = agent(url=server.url, output={"first": "{response.body.a[0]}", "id": "{response.headers['x-id']}"})
    assert await output(what) == {"first": 1, "id": "7"}
    assert await output(agent(url=server.url, output="{response.status}")) == 201
    assert (await error(agent(url=server.url, output="{response.body.nothing}")))[:2] == ("expression", False)


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (429, True), (503, True)])
async def test_a_status_of_400_or_above_fails(server: Server, status: int, retryable: bool) -> None:
    server.answer = Response(b"why", status, {"retry-after": "7"}, media_type=SSE)
    outcome, _ = await ask(agent(url=server.url))
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == (f"http.{status}", retryable)
    assert (outcome.retry_after, outcome.error.message[-3:]) == (7, "why")


# ---------------------------------------------------------------------------------------------------------- streams


async def streamed(server: Server, *pieces: str | bytes, **config: Any) -> tuple[Any, list[str]]:
    server.pieces = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    outcome, context = await ask(agent(url=f"{server.url}/stream", **config))
    assert isinstance(outcome, Completed), outcome
    return outcome.output, context.chunks


async def test_events_with_text_are_shown_and_are_the_output(server: Server) -> None:
    found = await streamed(server, 'data: {"delta": "Hel"}\n\nda', 'ta: {"delta": "lo"}\n\n', "data: [DONE]\n\n")
    assert found == ("Hello", ["Hel", "lo"])


async def test_an_event_named_result_is_the_output(server: Server) -> None:
    found = await streamed(server, "data: thinking\n\n", 'event: result\ndata: {"plan":\ndata: 1}\n\n')
    assert found == ({"plan": 1}, ["thinking"])


async def test_a_message_with_a_result_is_the_output(server: Server) -> None:
    server.media_type = NDJSON
    found = await streamed(server, '{"text": "a"}\n{"te', b'xt": "\xc3', b'\xa9"}\n\n{"result": {"n": 2}}')
    assert found == ({"n": 2}, ["a", "é"])


async def test_the_config_says_where_text_and_result_are(server: Server) -> None:
    server.media_type = NDJSON
    lines = '{"step": {"say": "x"}}\n{"done": {"answer": 42}}\n{"bye": true}\n'
    assert await streamed(server, lines, stream_text="/step/say", stream_result="/done/answer") == (42, ["x"])
    assert await streamed(server, lines, stream_text="/step/say", stream_result="last") == ({"bye": True}, ["x"])
    assert await streamed(server, lines, stream_text="/step/say") == ("x", ["x"])
    assert (await streamed(server, lines))[0] == {"bye": True}


async def test_the_config_names_the_event_that_is_the_result(server: Server) -> None:
    events = 'event: token\ndata: a\n\nevent: end\ndata: {"out": {"n": 1}}\n\n'
    assert await streamed(server, events, stream_result_event="end") == ({"out": {"n": 1}}, ["a"])
    assert (await streamed(server, events, stream_result_event="end", stream_result="/out"))[0] == {"n": 1}


async def test_plain_text_is_shown_as_it_comes_and_is_the_output(server: Server) -> None:
    server.media_type = "text/plain; charset=utf-8"
    output, chunks = await streamed(server, "one ", b"tw\xc3", b"\xb6")
    assert (output, "".join(chunks)) == ("one twö", "one twö")
    assert "two" not in chunks


async def test_a_stream_may_be_read_as_a_whole_or_against_its_type(server: Server) -> None:
    server.media_type = "application/octet-stream"
    assert await streamed(server, "data: a\n\n", stream="sse") == ("a", ["a"])
    server.media_type = SSE
    assert await streamed(server, "data: a\n\n", stream=False) == ("data: a\n\n", [])


async def test_an_openai_shaped_stream_needs_no_config(server: Server) -> None:
    def chunk(*choices: dict[str, Any]) -> str:
        return f"data: {json.dumps({'choices': choices})}\n\n"

    first = chunk({"delta": {"content": "Hi"}})
    assert await streamed(server, ": ping\n\n", first, chunk(), "data: [DONE]\n\n") == ("Hi", ["Hi"])


@pytest.mark.parametrize(
    ("media_type", "pieces"),
    [
        (SSE, ['data: {"delta": "a"}\n\n', "data: half"]),
        (NDJSON, ['{"delta": "a"}\n', '{"del']),
        (SSE, ["event: only\n\n"]),
        (NDJSON, []),
    ],
)
async def test_a_stream_that_ends_before_its_end_is_tried_again(
    server: Server, media_type: str, pieces: list[str]
) -> None:
    server.media_type, server.pieces = media_type, [piece.encode() for piece in pieces]
    assert (await error(agent(url=f"{server.url}/stream")))[:2] == ("network", True)


async def test_a_connection_that_breaks_within_a_stream_is_tried_again(server: Server) -> None:
    server.pieces, server.breaks = [b"data: a\n\n"], True
    outcome, context = await ask(agent(url=f"{server.url}/stream"))
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable, context.chunks) == ("network", True, ["a"])


async def test_a_result_that_was_announced_and_did_not_come_is_tried_again(server: Server) -> None:
    server.pieces = [b'data: {"delta": "a"}\n\n']
    assert (await error(agent(url=f"{server.url}/stream", stream_result="/answer")))[:2] == ("network", True)
    assert (await error(agent(url=f"{server.url}/stream", stream_result_event="end")))[:2] == ("network", True)


@pytest.mark.parametrize("event", ["event: error\ndata: no room\n\n", 'data: {"error": "no room"}\n\n'])
async def test_an_error_in_the_stream_fails_the_step(server: Server, event: str) -> None:
    server.pieces = [b"data: a\n\n", event.encode()]
    assert await error(agent(url=f"{server.url}/stream")) == ("stream_error", True, "no room")
    assert (await streamed(server, event, stream_error=False))[0] is not None


async def test_a_line_that_is_no_json_fails_for_good(server: Server) -> None:
    server.media_type, server.pieces = NDJSON, [b"<html>\n"]
    assert (await error(agent(url=f"{server.url}/stream")))[:2] == ("invalid_output", False)


# ----------------------------------------------------------------------------------------------------------- limits


async def test_the_whole_stream_has_a_deadline_however_lively_it_is(server: Server) -> None:
    server.pieces = [b"data: a\n\n"]
    server.hold.set()
    async with asyncio.timeout(20):
        kind, retryable, message = await error(agent(url=f"{server.url}/stream", timeout="200ms"))
    assert (kind, retryable, message) == ("timeout", True, "there was no complete answer within 0.2 s")


async def test_a_stream_has_a_size(server: Server) -> None:
    server.pieces = [b"data: a\n\n"] * 200
    assert (await error(agent(url=f"{server.url}/stream", max_bytes=1_000)))[:2] == ("output_too_large", False)
    assert (await error(agent(url=f"{server.url}/stream", max_bytes=9_999), max_bytes=1_000))[0] == "output_too_large"


async def test_what_unpacks_to_too_much_is_refused(server: Server) -> None:
    packed = gzip.compress(b"\0" * 50_000_000)
    server.answer = Response(packed, headers={"content-encoding": "gzip"}, media_type="application/json")
    assert (await error(agent(url=server.url)))[:2] == ("output_too_large", False)
    assert server.asked[0][2]["accept-encoding"] == "gzip, deflate"


# ---------------------------------------------------------------------------------------------------------- secrets


async def test_a_secret_is_in_no_output_and_no_error(server: Server) -> None:
    headers = {"x-api-key": {"env": "TOKEN"}}
    shown = await output(agent(url=f"{server.url}/echo", headers=headers))
    assert shown["headers"]["x-api-key"] == "***"
    _, _, message = await error(agent(url=f"{server.url}/echo?fail=1", headers=headers))
    assert "x-api-key" in message
    assert TOKEN[:8] not in message


async def test_a_secret_may_stand_in_the_query_and_is_in_no_output(server: Server) -> None:
    odd = "s3cret/token+0123=="
    what = agent(url=f"{server.url}/echo?fail=1", query={"key": {"env": "TOKEN"}, "q": "{input}"})
    server.answer = Response(b"{}", media_type="application/json")
    await error(what, "a b", secret={"TOKEN": odd}.get)
    assert server.asked[0][1] == "/echo?fail=1&key=s3cret%2Ftoken%2B0123%3D%3D&q=a+b"
    found = agent(url=server.url, query={"key": {"env": "TOKEN"}})
    server.answer = JSONResponse({"url": "/?key=s3cret%2Ftoken%2B0123%3D%3D", "key": odd})
    assert await output(found, secret={"TOKEN": odd}.get) == {"url": "/?key=***", "key": "***"}
    assert kind_of().check(agent("api", url="https://a.example", query={"key": {"env": "TOKEN"}})) != []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3:8080", "[::1]:80", "localhost", "api.localhost", "127.1", "0x7f000001", "169.254.169.254",
     "[::ffff:10.0.0.1]", "2130706433", "LOCALHOST.", "192.168.0.1"],
)  # fmt: skip
def test_a_private_address_is_refused_when_an_agent_is_registered(host: str) -> None:
    private = agent("api", url=f"http://{host}/x")
    (told,) = kind_of(allow_private=False).check(private)
    assert told.startswith("url: ")
    assert "HTTP_ALLOW_PRIVATE" in told
    assert kind_of(allow_private=True).check(private) == []
    assert kind_of(allow_private=False).check(agent("file", url=f"http://{host}/x", allow_private=True)) == []


@pytest.mark.parametrize("host", ["a.example", "8.8.8.8", "[2606:4700::1111]", "10.example", "localhost.example"])
def test_other_hosts_are_looked_up_when_they_are_called(host: str) -> None:
    assert kind_of(allow_private=False).check(agent("api", url=f"http://{host}/x")) == []


async def test_a_secret_is_in_no_chunk_also_in_pieces(server: Server) -> None:
    pieces = [f"data: a {TOKEN[:7]}\n\n", f"data: {TOKEN[7:]} b {TOKEN[:4]}\n\n"]
    output, chunks = await streamed(server, *pieces, headers={"x-api-key": {"env": "TOKEN"}})
    assert ("".join(chunks), output) == (f"a *** b {TOKEN[:4]}", f"a *** b {TOKEN[:4]}")


async def test_an_error_in_an_excerpt_shows_no_part_of_a_secret(server: Server) -> None:
    server.answer = Response(b"x" * 490 + TOKEN.encode(), 500)
    _, _, message = await error(agent(url=server.url, headers={"x-api-key": {"env": "TOKEN"}}))
    assert message.endswith("x***")


async def test_a_header_that_cannot_be_sent_is_not_shown(server: Server) -> None:
    what = agent(url=server.url, headers={"x-a": {"env": "TOKEN"}})
    kind, retryable, message = await error(what, secret={"TOKEN": "two\nlines"}.get)
    assert (kind, retryable, server.asked) == ("validation", False, [])
    assert "two" not in message


async def test_a_variable_that_is_not_set_is_named(server: Server) -> None:
    what = agent(url=server.url, headers={"x-a": {"env": "NOWHERE"}})
    assert await error(what) == ("configuration", False, "the variable NOWHERE is not set")
    assert kind_of().check(what) == ["the variable NOWHERE is not set"]


async def test_an_agent_of_the_api_names_only_what_is_listed(server: Server) -> None:
    what = agent("api", url=server.url, headers={"x-a": {"env": "TOKEN"}})
    kind, _, message = await error(what)
    assert (kind, "API_AGENT_SECRETS" in message, server.asked) == ("configuration", True, [])
    assert kind_of(api_secrets=["TOKEN"]).check(what) == []


# -------------------------------------------------------------------------------------------------------- addresses


async def test_a_private_address_is_refused_unless_operator_or_service_allow_it(server: Server) -> None:
    plain = agent("file", url=server.url)
    assert (await error(plain, allow_private=False))[:2] == ("address_refused", False)
    assert (await error(agent("api", url=server.url, allow_private=True), allow_private=False))[0] == "address_refused"
    assert (await error(agent("file", url=server.url, allow_private=False)))[0] == "address_refused"
    assert server.asked == []
    assert await output(agent("file", url=server.url, allow_private=True), allow_private=False) == {}
    assert await output(agent("api", url=server.url)) == {}
    assert kind_of(allow_private=False).check(agent("api", url=server.url, allow_private=True)) != []


async def test_a_connection_to_a_private_address_serves_nobody_else(server: Server) -> None:
    kind = kind_of(allow_private=False)
    inside = await kind.perform(agent(url=server.url, allow_private=True), attempt_with(Context()))
    outside = await kind.perform(agent(url=server.url), attempt_with(Context()))
    await kind.aclose()
    assert isinstance(inside, Completed)
    assert isinstance(outside, Failed)


async def test_nothing_is_kept_from_one_exchange_to_the_next(server: Server) -> None:
    server.answer = Response(b"{}", headers={"set-cookie": "session=of-another; Path=/"}, media_type="application/json")
    kind = kind_of()
    for _ in range(2):
        await kind.perform(agent(url=server.url), attempt_with(Context()))
    await kind.aclose()
    assert ["cookie" in headers for _, _, headers, _ in server.asked] == [False, False]


# ----------------------------------------------------------------------------------------------------------- checks


@pytest.mark.parametrize(
    "config",
    [
        {"url": "ftp://x.example/"},
        {"url": "{input.url}"},
        {"url": "https://{input.host}/"},
        {"url": "https://x.example{input.host}/"},
        {"url": "https://user:word@x.example/"},
        {"url": "https://x.example/{input.a"},
        {"url": "https://x.example/{context.a}"},
        {"url": "https://x.example/", "body": "{thread.a}"},
        {"url": "https://x.example/", "body": {"a": "}"}},
        {"url": "https://x.example/", "output": "{answer}"},
        {"url": "https://x.example/", "headers": {"Host": "y.example"}},
        {"url": "https://x.example/", "headers": {"a b": "c"}},
        {"url": "https://x.example/", "headers": {"a": "{}"}},
        {"url": "https://x.example/", "timeout": "soon"},
    ],
)
def test_what_is_wrong_with_a_config_is_told(config: dict[str, Any]) -> None:
    assert len(kind_of().check(agent(**config))) == 1


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"url": "https://x.example/", "stream": "maybe"},
        {"url": "https://x.example/", "stream_text": "delta"},
        {"url": "https://x.example/", "headers": {"a": 1}},
        {"url": "https://x.example/", "headers": {"a": {"env": "A", "default": "b"}}},
        {"url": "https://x.example/", "verify": False},
    ],
)
def test_what_is_no_config_is_refused_by_the_schema(config: dict[str, Any]) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(dict(kind_of().config_schema()), config)


async def test_a_redirect_keeps_the_key_and_leaves_the_secrets_behind(server: Server) -> None:
    async with served(server.app) as elsewhere:
        headers = {"x-api-key": {"env": "TOKEN"}}
        await output(agent(url=f"{server.url}/to?url={elsewhere}/there", headers=headers), {"a": 1})
        await output(agent(url=f"{server.url}/to?url=/here", headers=headers), {"a": 1})
    there, here = (asked for asked in server.asked if not asked[1].startswith("/to"))
    assert (there[2].get("x-api-key"), here[2]["x-api-key"]) == (None, TOKEN)
    assert there[2]["idempotency-key"] == "t:e:s"
    assert there[0] == "POST"
    assert json.loads(there[3]) == {"a": 1}
