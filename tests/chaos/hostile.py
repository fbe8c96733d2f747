"""The hostile bodies of the row `bodies`: texts that JSON cannot carry or that careless code breaks on, and lying framing."""

from __future__ import annotations

import json
import random
import select
import socket
import string
from contextlib import suppress
from dataclasses import dataclass

ECHO = {"name": "echo", "steps": [{"id": "only", "python": "echo", "input": "{input}"}]}
START = "/api/invoke/async"
ROUTES = (
    START,
    "/api/workflows",
    "/api/invoke/resume/{thread}",
    "/api/invoke/rollback/{thread}",
    "/api/invoke/cancel/{thread}",
)
GIGA = 1_000_000_000
EARLY = 64_000_000
"""Of a gigabyte, what may be sent before the refusal comes: the limit, and what is on its way."""
_PIECE = b"x" * 65_536

LOSSLESS = (
    '"\\u0000"',
    '{"a\\u0000b": "c\\u0000"}',
    "1" + "0" * 30,
    "-" + "9" * 3_999,
    '"\\ud83d\\ude00 \\u2028\\u202e"',
    "[" * 150 + "]" * 150,
    '{"": {"": [null, true, 1.0, 1]}}',
    '{"b": 1, "a": {"__proto__": 1}, "10": 2, "9": 3}',
    "[5e-324, 1.7976931348623157e308, 0.1, -0.0]",
    '"{input} {{x}} ${jndi:ldap://x} %s \\\\x00"',
    "18446744073709551616",
    json.dumps("\u00e4\U0001f600" * 20_000),
)
REFUSED = (
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    "[" * 100_000,
    "7" * 5_000,
    "-" + "7" * 5_000,
    "[" + "7" * 100_000 + "]",
    "NaN",
    "[Infinity, -Infinity]",
    "1e999",
    "-1e400",
    '"\\ud800"',
    '{"\\udfff": 1}',
    '["\\udc00\\ud800"]',
    "01",
    "+1",
    "1.",
    ".5",
    "'a'",
    "[1,]",
    '{"a": 1, }',
    "nul",
    "\\u0000",
    '"\n"',
    '"\x00"',
    '"\\x41"',
    "1 2",
    "/* */ 1",
)
RAW = (
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe\x00",
    b'{"workflow": "\xc3\x28"}',
    b'{"workflow": "\xed\xa0\x80"}',
    b'{"workflow": "\xf4\x90\x80\x80"}',
    b'{"workflow": "\xc0\xaf"}',
    b'\xef\xbb\xbf{"workflow": "x"}',
    '{"workflow": "x"}'.encode("utf-16"),
    '{"workflow": "x"}'.encode("utf-32"),
    b"[]",
    b"null",
    b'"text"',
    b"1",
    b'{"workflow": null}',
    b'{"workflow": []}',
    b'{"workflow": {"name": "a", "steps": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    b'{"workflow": {"name": "' + b"n" * 100_000 + b'", "steps": []}}',
    b'{"workflow": {"name": "\\u0000", "steps": [{"id": "a", "agent": "hand"}]}}',
    b'{"workflow": {"name": "a", "steps": [{"id": "\\u0000", "agent": "hand\\u0000"}]}}',
    b'{"workflow": "a\\u0000b", "thread_id": "\\u0000"}',
    b'{"workflow": "a", "workflow": "b", "triggered_by": "\\u0000"}',
)
OUTPUTS = ("nul", "big", "emoji", "deep", "nan", "infinity", "surrogate", "too_deep", "digits", "object", "numbered")
KEPT = OUTPUTS[:4]


def odd_value(dice: random.Random, depth: int = 0) -> object:
    """A JSON value made of what breaks things; lossless by the contract."""
    kind = dice.randrange(8 if depth < 5 else 5)
    if kind == 0:
        return dice.choice([0, -1, 2**53 + 1, 2**64, -(10**40), 10**3_000, True, False, None])
    if kind == 1:
        return dice.choice([0.1, -0.0, 1e-300, 1.5e300, 123456789.123456789, 1.0])
    if kind < 5:
        return odd_text(dice)
    if kind == 5:
        return {odd_text(dice): odd_value(dice, depth + 1) for _ in range(dice.randrange(4))}
    return [odd_value(dice, depth + 1) for _ in range(dice.randrange(4))]


def odd_text(dice: random.Random) -> str:
    """Control characters, quotes, planes beyond the first, templates; no lone surrogates."""
    pieces = [
        "\x00",
        "\x01",
        "\x7f",
        "\u0085",
        "\u2028",
        "\ufeff",
        "\U0001f469\u200d\U0001f467",
        "\uffff",
        "\\",
        '"',
        "{",
        "}",
    ]
    pieces += ["{input}", "{{", "%s", "\\u0000", "';--", *string.printable[:20]]
    return "".join(dice.choice(pieces) for _ in range(dice.randrange(12)))


def mutated(dice: random.Random, body: bytes) -> bytes:
    """With a few bytes changed, left out, doubled or put in."""
    found = bytearray(body)
    for _ in range(dice.randint(1, 5)):
        at = dice.randrange(len(found))
        way = dice.randrange(4)
        if way == 0:
            found[at] = dice.randrange(256)
        elif way == 1 and len(found) > 1:
            del found[at]
        elif way == 2:
            found[at:at] = found[at : at + dice.randint(1, 20)]
        else:
            found[at:at] = dice.choice(
                [b"\x00", b"\xff", b'"', b"\\u0000", b"\\ud800", b"{", b"]", b"NaN", b"9" * 5_000]
            )
    return bytes(found)


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a bare socket: the status, 0 when the server only hung up, -1 when it left us waiting; what was sent by then."""

    status: int
    sent: int


LIES = ("longer", "shorter", "chunk cut", "chunk size too big", "chunk size no number", "chunk size negative",
        "length negative", "two lengths", "length and chunks", "length no number", "chunk extension")  # fmt: skip


def lie(port: int, kind: str, body: bytes) -> Answer:
    """A request whose framing does not say the truth; then we say no more."""
    length, chunk = len(body), b"%x\r\n%s\r\n" % (len(body), body)
    head, rest = {
        "longer": (f"Content-Length: {length + 1_000}", body),
        "shorter": (f"Content-Length: {max(1, length - 10)}", body),
        "chunk cut": ("Transfer-Encoding: chunked", chunk),
        "chunk size too big": ("Transfer-Encoding: chunked", b"fffffffffffffffff\r\n" + body),
        "chunk size no number": ("Transfer-Encoding: chunked", b"zz\r\n" + body + b"\r\n0\r\n\r\n"),
        "chunk size negative": ("Transfer-Encoding: chunked", b"-5\r\n" + body + b"\r\n0\r\n\r\n"),
        "length negative": ("Content-Length: -1", body),
        "two lengths": (f"Content-Length: {length}\r\nContent-Length: {length + 5}", body),
        "length and chunks": (f"Content-Length: {length}\r\nTransfer-Encoding: chunked", chunk + b"0\r\n\r\n"),
        "length no number": ("Content-Length: 1e3", body),
        "chunk extension": ("Transfer-Encoding: chunked", chunk.replace(b"\r\n", b";" + b"x" * 9_000 + b"\r\n", 1)),
    }[kind]
    return exchange(
        port, head, [rest], hang_up=kind in ("longer", "chunk cut", "chunk size too big", "chunk extension")
    )


def gigabyte(port: int, path: str, *, chunked: bool) -> Answer:
    """A gigabyte, declared or in chunks, as long as the server listens."""
    head = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {GIGA}"
    piece = b"%x\r\n%s\r\n" % (len(_PIECE), _PIECE) if chunked else _PIECE
    return exchange(port, head, (piece for _ in range(GIGA // len(_PIECE))), path=path)


def exchange(port: int, head: str, pieces: object, *, path: str = START, hang_up: bool = False) -> Answer:
    """Send until there is an answer; with `hang_up`, tell the server that nothing more comes."""
    sent = 0
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with suppress(OSError):
            connection.sendall(request)
            for piece in pieces:  # pyright: ignore[reportGeneralTypeIssues]
                if select.select([connection], [], [], 0)[0]:
                    break
                connection.sendall(piece)
                sent += len(piece)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
        return Answer(_status(connection), sent)


def _status(connection: socket.socket) -> int:
    try:
        line = connection.recv(4_096)
    except TimeoutError:
        return -1
    except OSError:
        return 0
    return int(line.split()[1]) if line.startswith(b"HTTP/1") else 0
