"""CloudEvents 1.0 in and out: the JSON format (structured), its batches, and the binary mode of HTTP.

https://github.com/cloudevents/spec/blob/v1.0.2: spec.md, formats/json-format.md, bindings/http-protocol-binding.md.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote_to_bytes

from app.domain import jsontext
from app.domain.errors import InvalidRequest, Problem
from app.domain.messages import Message
from app.domain.times import rfc3339, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
MOST: Final = 1_000
"""Events of a batch."""
BASE64: Final = "data_base64"
"""Stands among a message's attributes when its data is the base64 of bytes; no attribute of a CloudEvent has such a name."""
_LONGEST: Final = {"id": 255, "source": 255, "type": 255, "subject": 500, "datacontenttype": 255, "dataschema": 500}
_LONGEST_OTHER: Final = 2_000
_MOST_OTHERS: Final = 50
_NAME: Final = re.compile(r"[a-z0-9]{1,64}")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)
_JSON: Final = re.compile(r"[\w.-]+/([\w.-]+\+)?json", re.IGNORECASE)
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([\w.:-]+)', re.IGNORECASE)
_CHARSETS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
}
"""Those in which a text is understood; one in another is kept as bytes."""
_INTEGERS: Final = range(-(2**31), 2**31)


def of_object(value: Any, topic: str, pointer: str = "") -> Message:
    """A message of an event in the JSON format.  Raises InvalidRequest (invalid_cloudevent) with all that is wrong."""
    if not isinstance(value, dict):
        raise _refused([Problem(pointer, "should be an object: a CloudEvent")])
    given = dict(cast("dict[str, Any]", value))
    problems: list[Problem] = []
    data, encoded = given.pop("data", None), given.pop(BASE64, None)
    if encoded is not None:
        if data is not None or not _is_base64(encoded):
            problems.append(Problem(f"{pointer}/{BASE64}", "should be base64, and stand without `data`"))
        data = encoded
    message = _message(given, jsontext.dumps(data), topic, pointer, problems, encoded=encoded is not None)
    if message is None:
        raise _refused(problems)
    return message


def of_batch(value: Any, topic: str) -> list[Message]:
    """The messages of a batch.  Raises InvalidRequest with all that is wrong."""
    if not isinstance(value, list):
        raise _refused([Problem("", "should be a list of CloudEvents")])
    events = cast("list[Any]", value)
    if len(events) > MOST:
        raise _refused([Problem("", f"more than {MOST:,} CloudEvents")])
    found: list[Message] = []
    problems: list[Problem] = []
    for place, one in enumerate(events):
        try:
            found.append(of_object(one, topic, f"/{place}"))
        except InvalidRequest as error:
            problems += error.details["problems"]
    if problems:
        raise _refused(problems)
    return found


def of_headers(headers: Iterable[tuple[str, str]], body: bytes, topic: str) -> Message:
    """A message of an event in the binary mode of HTTP; `headers` by name in lower case.

    Raises InvalidRequest, and JsonError for a body that should be JSON and is not.
    """
    given: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, text in headers:
        if name == "content-type":
            given["datacontenttype"] = text
        elif name.startswith("ce-"):
            try:
                given[name[3:]] = _decoded(text)
            except ValueError:
                problems.append(Problem(f"/{name}", "should be percent-encoded UTF-8"))
    data_json, encoded = _body(str(given.get("datacontenttype", "application/json")), body)
    message = _message(given, data_json, topic, "", problems, encoded=encoded)
    if message is None:
        raise _refused(problems)
    return message


def _body(content_type: str, body: bytes) -> tuple[str, bool]:
    """The data in a body of a media type, as JSON text; whether it is the base64 of bytes."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return "null", False
    if _JSON.fullmatch(kind):
        return as_json(body), False
    if kind.startswith("text/"):
        named = _CHARSET.search(content_type)
        charset = _CHARSETS.get(named[1].lower()) if named else "utf-8"
        with contextlib.suppress(ValueError):  # what is not of its charset is kept as it is
            if charset is not None:
                return jsontext.dumps(body.decode(charset)), False
    return jsontext.dumps(base64.b64encode(body).decode()), True


def as_json(body: bytes) -> str:
    """The text of a JSON value, as it stands.  Raises JsonError."""
    jsontext.loads(body)
    return body.decode().strip()


def document(message: Message) -> str:
    """A message as an event in the JSON format, as JSON text."""
    attributes = dict(message.attributes)
    encoded = attributes.pop(BASE64, False)
    head: dict[str, Any] = {
        "specversion": "1.0",
        "id": message.id,
        "source": message.source,
        "type": message.type,
        **({"subject": message.subject} if message.subject is not None else {}),
        "time": rfc3339(message.time),
        "datacontenttype": "application/json",
        "topic": message.topic,
        **attributes,
    }
    return f'{jsontext.dumps(head)[:-1]},"{BASE64 if encoded else "data"}":{message.data_json}}}'


def _message(
    given: dict[str, Any], data_json: str, topic: str, pointer: str, problems: list[Problem], *, encoded: bool
) -> Message | None:
    """None where there are problems."""
    given = {name: value for name, value in given.items() if value is not None}
    if given.pop("specversion", None) != "1.0":
        problems.append(Problem(f"{pointer}/specversion", 'should be "1.0"'))
    problems += [Problem(f"{pointer}/{name}", "required") for name in ("id", "source", "type") if name not in given]
    texts = {name: given.pop(name) for name in _LONGEST if name in given}
    for name, value in texts.items():
        if not isinstance(value, str) or not value or len(value) > _LONGEST[name] or _CONTROL.search(value):
            told = f"should be text of 1 to {_LONGEST[name]} characters, none of them a control character"
            problems.append(Problem(f"{pointer}/{name}", told))
    time = _time(given.pop("time", None))
    if time is None:
        problems.append(Problem(f"{pointer}/time", "should be a time such as 2026-11-21T09:30:00Z"))
    problems += _odd(given, pointer)
    if problems or time is None:
        return None
    more = {name: texts.pop(name) for name in ("datacontenttype", "dataschema") if name in texts}
    attributes = {**more, **given, **({BASE64: True} if encoded else {})}
    return Message(topic=topic, time=time, data_json=data_json, attributes=attributes, **texts)


def _odd(others: Mapping[str, Any], pointer: str) -> list[Problem]:
    """What is wrong with extension attributes."""
    if len(others) > _MOST_OTHERS:
        return [Problem(pointer, f"more than {_MOST_OTHERS} extension attributes")]
    problems: list[Problem] = []
    for name, value in others.items():
        if _NAME.fullmatch(name) is None or name == "data":
            told = "an attribute's name is of lower-case letters and digits, 64 at most, and not `data`"
            problems.append(Problem(f"{pointer}/{name[:100]}", told))
        elif isinstance(value, str):
            if len(value) > _LONGEST_OTHER or _CONTROL.search(value):
                told = f"should have at most {_LONGEST_OTHER:,} characters, none of them a control character"
                problems.append(Problem(f"{pointer}/{name}", told))
        elif not (isinstance(value, bool) or (isinstance(value, int) and value in _INTEGERS)):
            problems.append(Problem(f"{pointer}/{name}", "should be text, true or false, or an integer of 32 bits"))
    return problems


def _time(value: Any) -> datetime | None:
    if value is None:
        return utc_now()
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _decoded(text: str) -> str:
    """The value of a `ce-` header, a character for each byte: quoted or not, with percent-encoding.  Raises ValueError."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return unquote_to_bytes(text.encode("latin-1")).decode()


def _is_base64(value: Any) -> bool:
    try:
        return (isinstance(value, str) and bool(base64.b64decode(value, validate=True))) or value == ""
    except (ValueError, binascii.Error):
        return False


def _refused(problems: list[Problem]) -> InvalidRequest:
    first = problems[0]
    return InvalidRequest(f"{first.pointer or '(body)'}: {first.message}", code="invalid_cloudevent", problems=problems)
