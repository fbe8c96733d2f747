"""An MCP server of the year 2025 for tests, of nothing but the standard library: it starts fast, and can misbehave.

python mcp_plain.py [--marks FILE] [--deaf] [--port PORT]: on stdio, or as an HTTP endpoint that knows its sessions.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

parser = argparse.ArgumentParser()
parser.add_argument("--marks", type=Path)
parser.add_argument("--port", type=int)
parser.add_argument(
    "--deaf", action="store_true", help="end neither with stdin nor by SIGTERM; leave a session for ever"
)
options = parser.parse_args()

Json = dict[str, Any]
NAMES = [
    "echo",
    "fail",
    "hang",
    "leave",
    "garbage",
    "surrogate",
    "huge",
    "huge_backwards",
    "grow",
    "walk",
    "env",
    "refuse",
    "drop",
    "wait",
]
TOOLS = [{"name": name, "inputSchema": {"type": "object", "properties": {}}} for name in NAMES]
TOOLS[0]["inputSchema"] = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}},
    "additionalProperties": False,
}
_out = threading.Lock()


def mark(word: str) -> None:
    """Write a line down."""
    if options.marks is not None:
        with options.marks.open("a") as file:
            file.write(f"{word}\n")


def write(line: str) -> None:
    """A line on stdout."""
    with _out:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def tell(method: str, params: Json | None = None) -> None:
    """A notification."""
    write(json.dumps({"jsonrpc": "2.0", "method": method, "params": params or {}}))


def text(value: str) -> Json:
    """The result of a tool."""
    return {"content": [{"type": "text", "text": value}]}


def hang(request_id: int, given: Json, meta: Json) -> None:
    """Never answers."""


def leave(request_id: int, given: Json, meta: Json) -> None:
    """Ends the process."""
    sys.stderr.write(f"{given.get('words', 'the last words')}\n")
    sys.stderr.flush()
    os._exit(given.get("code", 3))


def garbage(request_id: int, given: Json, meta: Json) -> Json:
    """Writes what is no message before its answer."""
    write("this is no JSON")
    write('{"jsonrpc": "2.0"')
    return text("after the garbage")


def surrogate(request_id: int, given: Json, meta: Json) -> None:
    """Answers with text that is none."""
    write('{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"\\ud800"}]}}' % str(request_id))  # noqa: UP031


def huge_backwards(request_id: int, given: Json, meta: Json) -> None:
    """A long text, with the id behind it."""
    write(json.dumps({"result": text("x" * given["size"]), "jsonrpc": "2.0", "id": request_id}))


def grow(request_id: int, given: Json, meta: Json) -> Json:
    """One tool more, which the client is told of."""
    TOOLS.append({"name": given["name"], "inputSchema": {"type": "object"}})
    tell("notifications/tools/list_changed")
    return text("grown")


def wait(request_id: int, given: Json, meta: Json) -> Json:
    """Waits until there is such a file."""
    while not Path(given["path"]).exists():
        time.sleep(0.02)
    return text("waited")


def walk(request_id: int, given: Json, meta: Json) -> Json:
    """Reports progress."""
    for step in (1, 2):
        told = {"progressToken": meta.get("progressToken"), "progress": step, "total": 2, "message": f"{step}"}
        tell("notifications/progress", told)
    return text("there")


CALLS: dict[str, Any] = {
    "echo": lambda _, given, __: text(given["text"]),
    "fail": lambda _, given, __: {**text(given.get("why", "no")), "isError": True},
    "huge": lambda _, given, __: text("x" * given["size"]),
    "env": lambda *_: {"content": [], "structuredContent": dict(os.environ)},
    **{doer.__name__: doer for doer in (hang, leave, garbage, surrogate, huge_backwards, grow, wait, walk)},
}


def call(request_id: Any, params: Json) -> Json | None:
    """The result of a tool; None when it was written, or never will be.  Raises KeyError."""
    name, meta = params["name"], params.get("_meta") or {}
    mark(f"{name} {meta.get('backstitch/idempotencyKey')}")
    return CALLS[name](request_id, params.get("arguments") or {}, meta)


def answer(message: Json) -> Json | None:
    """The answer to a message, if it has one now."""
    method, request_id, params = message["method"], message.get("id"), message.get("params") or {}
    if method == "notifications/cancelled":
        mark(f"cancelled {params.get('requestId')}")
    if request_id is None:
        return None
    result: Json | None
    if method == "initialize":
        result = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "plain", "version": "1"},
        }
    elif method == "tools/list":
        at = int(params.get("cursor") or 0)
        more = {"nextCursor": str(at + 5)} if at + 5 < len(TOOLS) else {}
        result = {"tools": TOOLS[at : at + 5], **more}
    elif method == "tools/call":
        try:
            result = call(request_id, params)
        except KeyError as error:
            return {"jsonrpc": "2.0", "id": request_id, "error": {"code": -32603, "message": str(error)}}
    else:
        return {"jsonrpc": "2.0", "id": request_id, "error": {"code": -32601, "message": "no such method"}}
    return {"jsonrpc": "2.0", "id": request_id, "result": result} if result is not None else None


class Endpoint(BaseHTTPRequestHandler):
    """Streamable HTTP, as simple as it may be: every answer is JSON."""

    protocol_version = "HTTP/1.1"
    sessions: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers.get("authorization") != "Bearer sesame":
            self._send(401, {"error": "who are you?"})
        elif message["method"] == "initialize":
            session = f"s{os.getpid()}"
            self.sessions.add(session)
            self._send(200, answer(message), session)
        elif message["method"] != "server/discover" and self.headers.get("mcp-session-id") not in self.sessions:
            self._send(404, {"error": "no such session"})
        elif "id" not in message:
            answer(message)
            self._send(202, None)
        elif (message.get("params") or {}).get("name") == "refuse":
            self._send(503, {"error": "busy"}, retry_after="7")
        elif (message.get("params") or {}).get("name") == "drop":
            self.close_connection = True
        else:
            self._send(200, answer(message))

    def do_GET(self) -> None:
        self._send(405, None)

    def do_DELETE(self) -> None:
        mark("deleted")
        while options.deaf:
            time.sleep(1)
        self._send(200, None)

    def _send(self, status: int, body: Json | None, session: str | None = None, retry_after: str | None = None) -> None:
        raw = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        for name, value in (("mcp-session-id", session), ("retry-after", retry_after)):
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def serve_pipes() -> None:
    """Answer on stdio; a call in a thread of its own, so that the others go on."""

    def handle(message: Json) -> None:
        found = answer(message)
        if found is not None:
            write(json.dumps(found, separators=(",", ":")))

    for line in sys.stdin:
        message = json.loads(line)
        if message["method"] == "tools/call":
            threading.Thread(target=handle, args=(message,), daemon=True).start()
        else:
            handle(message)


if __name__ == "__main__":
    mark(f"started {os.getpid()}")
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.port is not None:
        ThreadingHTTPServer(("127.0.0.1", options.port), Endpoint).serve_forever()
    serve_pipes()
    while options.deaf:
        time.sleep(1)
    os._exit(0)
