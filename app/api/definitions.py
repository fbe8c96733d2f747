"""Definitions as routes tell them: with the graph of their steps, in entries, and what is wrong with a text, and where."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.document_places import located
from app.domain.errors import InvalidRequest, InvalidWorkflow, JsonError, NotSupported, Problem
from app.domain.views.graph import graph
from app.domain.views.workflows import workflow_document, workflow_entry
from app.runners.aside import aside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from app.api.services import Services
    from app.domain.records import WorkflowRecord
    from app.domain.spec import WorkflowSpec
    from app.domain.views.common import Document

_AT: Final = re.compile(r"line (?P<line>\d+) column (?P<column>\d+) \(char")
"""How a JSON parser tells a place."""


async def definition(services: Services, record: WorkflowRecord) -> Document:
    """One definition with its document and the graph of its steps, which one that this release cannot read has not."""
    drawn = None
    with suppress(InvalidWorkflow, NotSupported):
        drawn = await graph_of(await services.control.spec(record.id), record.document)
    return await aside(lambda: workflow_document(record, drawn), len(record.document))


async def graph_of(spec: WorkflowSpec, document: str | Mapping[str, Any]) -> Document | None:
    """Its graph; that of many steps is drawn in a thread."""
    size = len(document) if isinstance(document, str) else 0
    return await aside(lambda: graph(spec), max(size, len(spec.steps) * 200))


async def entries(records: Sequence[WorkflowRecord]) -> list[Document]:
    """Definitions without their documents, which have to be read for it."""
    return await aside(lambda: [workflow_entry(one) for one in records], sum(len(one.document) for one in records))


class Sent:
    """A document that was sent: as text, and as what is checked of it."""

    def __init__(self, text: str, document: Mapping[str, Any] | str) -> None:
        self.text = text
        self.document = document

    async def places(self, problems: list[Problem]) -> list[Problem]:
        """The problems with their lines and columns in the text."""
        return await asyncio.to_thread(located, self.text, problems)


async def sent(request: Request) -> Sent:
    """The body as a document: JSON if it is JSON or says so, else the text for a YAML parser.

    Raises JsonError, InvalidRequest, InvalidWorkflow.
    """
    raw = await request.body()
    says_json = "json" in request.headers.get("content-type", "")
    try:
        value = await aside(lambda: jsontext.loads(raw), len(raw))
    except JsonError as error:
        if says_json or raw.lstrip()[:1] in (b"{", b"["):
            raise _placed(error) from None
        text = _text(raw)
        return Sent(text, text)
    if not isinstance(value, dict):
        raise InvalidWorkflow([Problem("", "should be an object", 1, 1)])
    return Sent(raw.decode(errors="replace"), cast("dict[str, Any]", value))


def problems_of(error: InvalidWorkflow | NotSupported) -> list[Problem]:
    """What is wrong with a document, one at least."""
    found: list[Problem] = getattr(error, "problems", None) or error.details.get("problems") or []
    return found or [Problem("", error.message)]


def placed(error: InvalidWorkflow | NotSupported, problems: list[Problem]) -> InvalidWorkflow | NotSupported:
    """The same error with other problems."""
    if isinstance(error, InvalidWorkflow):
        return InvalidWorkflow(problems, error.message)
    return NotSupported(error.message, problems=problems)


def _placed(error: JsonError) -> JsonError:
    found = _AT.search(error.message)
    line, column = (int(found["line"]), int(found["column"])) if found is not None else (None, None)
    return JsonError(error.message, problems=[Problem("", error.message, line, column)])


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise JsonError(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    if not text.strip():
        raise InvalidRequest("the body is empty: send a workflow document")
    return text
