"""What the tools give, as JSON Schema.  All of it is open: the API may tell more than stands here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mcp_server.calling import Document


def _object(required: str, **properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": required.split()}


def _maybe(kind: str | Document, description: str = "") -> Document:
    """That, or null; as branches, since clients that map schemas onto dialects of one `type` each drop a list of types."""
    known = {"type": kind} if isinstance(kind, str) else kind
    return {"anyOf": [known, {"type": "null"}], **({"description": description} if description else {})}


def _of(kind: str, description: str = "") -> Document:
    return {"type": kind, **({"description": description} if description else {})}


def _list(items: Document, description: str = "") -> Document:
    return {"type": "array", "items": items, **({"description": description} if description else {})}


_CHOICES: Final = frozenset({"anyOf", "oneOf", "allOf"})
_REFERRED: Final = ("$defs", "definitions")
_ANY: Final[Document] = {}
_TEXT: Final = _of("string")
_NUMBER: Final = _of("number")
_INTEGER: Final = _of("integer")
_FLAG: Final = _of("boolean")
_STATUS: Final = _of("string", "pending, running, waiting, paused, completed, failed, cancelled or interrupted")
_CURSOR: Final = _maybe("string", "for the next page; null at the end")
_LINKS: Final = _object("", status=_TEXT, stream=_TEXT, history=_TEXT)
_ERROR: Final = _maybe(
    _object("", kind=_TEXT, message=_TEXT, step_id=_maybe("string"), retryable=_FLAG), "why it failed"
)
_STEP: Final = _object(
    "id status",
    id=_TEXT,
    status=_of("string", "pending, running, retrying, waiting, completed, failed, skipped or cancelled"),
    agent=_maybe("string"),
    attempt=_INTEGER,
    error=_ERROR,
    reused=_of("boolean", "kept from before a resume or rollback"),
    gate=_maybe("object", "the question that it asks while it waits"),
)
_ACCEPTED: Final = {"thread_id": _TEXT, "execution_id": _TEXT, "status": _STATUS, "durable": _FLAG, "links": _LINKS}

STARTED: Final = _object(
    "thread_id execution_id status",
    **_ACCEPTED,
    version=_INTEGER,
    estimated_duration_ms=_maybe("integer", "the median of past executions; null where nothing is known"),
)
STATUS: Final = _object(
    "thread_id execution_id workflow status version last_seq progress steps",
    thread_id=_TEXT,
    execution_id=_TEXT,
    workflow=_TEXT,
    workflow_version=_maybe("integer"),
    status=_STATUS,
    version=_of("integer", "the head, for expected_version"),
    last_seq=_of("integer", "the number of the newest event"),
    current_step=_maybe("string"),
    completed_steps=_list(_TEXT),
    progress=_of("number", "0 to 1"),
    steps=_list(_STEP),
    output=_ANY,
    error=_ERROR,
)
EVENTS: Final = _object(
    "thread_id status events next_cursor last_seq done sse event_schema",
    thread_id=_TEXT,
    status=_STATUS,
    events=_list(_of("object", "see event_schema"), "in their order, each once by its seq"),
    next_cursor=_of("integer", "cursor of the next call"),
    last_seq=_INTEGER,
    done=_of("boolean", "the thread has ended and all of its events were told"),
    sse=_object(
        "url token expires_at",
        url=_of("string", "the same events as a stream of server-sent events"),
        token=_of("string", "lets whoever has it follow this thread's stream; already in the url"),
        expires_at=_TEXT,
    ),
    event_schema=_of("object", "the JSON Schema of an event"),
)
RESUMED: Final = _object(
    "thread_id execution_id status resumed_from_version", **_ACCEPTED, resumed_from_version=_INTEGER
)
ROLLED_BACK: Final = _object(
    "thread_id dry_run",
    **_ACCEPTED,
    dry_run=_FLAG,
    rolled_back_to_version=_INTEGER,
    rolled_back_from_version=_INTEGER,
    from_version=_INTEGER,
    to_version=_INTEGER,
    undone=_list(_of("object"), "step runs that would be undone (dry run)"),
    irreversible=_list(_TEXT, "steps of those that cannot be undone"),
    runs_again=_list(_TEXT, "steps that would run again"),
)
HISTORY: Final = _object(
    "thread_id",
    thread_id=_TEXT,
    head_version=_INTEGER,
    history=_list(
        _object(
            "version current_step completed_steps created_at",
            version=_INTEGER,
            parent_version=_maybe("integer"),
            created_at=_TEXT,
            current_step=_of("string", "the step that wrote it, START or END"),
            completed_steps=_list(_TEXT),
            on_timeline=_of("boolean", "false: left behind by a rollback"),
        ),
        "oldest first",
    ),
    next_cursor=_CURSOR,
    state=_of("object", "with `version`: the whole state at it"),
)
ANSWERED: Final = _object(
    "thread_id answered status open_gates",
    thread_id=_TEXT,
    step_id=_maybe("string"),
    answered=_FLAG,
    status=_STATUS,
    open_gates=_list(_of("object", "step_id, title, show, form, assignees, item, round"), "when nothing was answered"),
)
SENT: Final = _object(
    "thread_id signal topic message_id taken",
    thread_id=_maybe("string"),
    signal=_maybe("string"),
    taken=_maybe("boolean", "of a signal: whether a step has it; false: kept for one that will"),
    topic=_maybe("string"),
    message_id=_maybe("string"),
)
MONITOR: Final = _object(
    "now counts service threads stuck more",
    now=_TEXT,
    counts=_of("object", "executions that have not ended, by status"),
    service=_object("able", able=_FLAG, detail=_maybe("string")),
    threads=_list(
        _object(
            "thread_id workflow status progress stuck why",
            thread_id=_TEXT,
            workflow=_TEXT,
            status=_STATUS,
            progress=_NUMBER,
            current_steps=_list(_TEXT),
            idle_ms=_of("integer", "since when nothing has moved"),
            stuck=_FLAG,
            why=_list(
                _object(
                    "reason detail advice",
                    reason=_of(
                        "string", "gate, retrying, breaker_open, agent_disabled, queue_full, paused, service, ..."
                    ),
                    step_id=_maybe("string"),
                    detail=_TEXT,
                    until=_maybe("string"),
                    advice=_TEXT,
                )
            ),
        ),
        "those that moved longest ago first",
    ),
    stuck=_list(_TEXT, "the thread_ids of those that are stuck"),
    more=_FLAG,
)
RAN: Final = _object(
    "thread_id status finished",
    thread_id=_TEXT,
    status=_STATUS,
    finished=_of("boolean", "false: it goes on; follow it with invoke_stream"),
    output=_ANY,
    next_cursor=_of("integer", "where invoke_stream goes on"),
)


def wrapped(schema: Document | bool | None) -> Document:
    """An input schema as tools must have it: that of an object, which models take at its word.

    What is none goes under `input`, and so does a choice between objects, which the APIs of models refuse at this place;
    what it refers to stays where references look for it.
    """
    if schema is None:
        return {"type": "object", "additionalProperties": True}
    given = schema if isinstance(schema, dict) else {}
    if given.get("type") == "object" and not _CHOICES & given.keys():
        return given
    kept = {name: given[name] for name in _REFERRED if name in given}
    inner = {name: value for name, value in given.items() if name not in kept} or schema
    fields: Document = {"properties": {"input": inner}, "required": ["input"], "additionalProperties": False}
    return {"type": "object", **fields, **kept}
