"""What a client may ask of the list of threads, and of many threads at once."""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from app.api.parsing import Body, Query
from app.api.requests import Page, ShortText, ThreadId, Time
from app.domain.status import Status

MOST: Final = 1_000
_NAMES: Final = [status.value for status in Status]


def _statuses(value: Any) -> Any:
    """A parameter comes as a list of what was given, however often."""
    given = cast("list[Any]", value) if isinstance(value, list) else [value]
    names = [name for one in given for name in (one.split(",") if isinstance(one, str) else [one])]
    found = {status for status in Status if status.value in names}
    if not names or len(found) != len(set(map(str, names))):
        raise ValueError(f"should be any of {', '.join(_NAMES)}, with commas between")
    return frozenset(found)


_ONE: Final = "|".join(_NAMES)
_TEXT_SCHEMA: Final = {"type": "string", "pattern": f"^({_ONE})(,({_ONE}))*$"}
_LIST_SCHEMA: Final = {"type": "array", "items": {"type": "string", "pattern": f"^({_ONE})$"}, "minItems": 1}
_MOST_IDS: Final = 100


def _ids(value: Any) -> Any:
    given: list[Any] = [value] if isinstance(value, str) else value
    names = list(dict.fromkeys(name for text in given for name in str(text).split(",")))
    if not 1 <= len(names) <= _MOST_IDS:
        raise ValueError(f"should be 1 to {_MOST_IDS} ids of threads, with commas between")
    return names


Ids = Annotated[list[ThreadId], BeforeValidator(_ids), WithJsonSchema({"type": "string"})]
Statuses = Annotated[frozenset[Status], BeforeValidator(_statuses), WithJsonSchema(_TEXT_SCHEMA)]
StatusesOrList = Annotated[
    frozenset[Status], BeforeValidator(_statuses), WithJsonSchema({"anyOf": [_TEXT_SCHEMA, _LIST_SCHEMA]})
]
Sought = Annotated[ShortText, Field(min_length=1)]
_OF_STATUS: Final = "Of threads in that status, or in one of those, with commas between."
_OF_TEXT: Final = (
    "In the thread's id, its workflow's name, `triggered_by`, `external_run_id` or its input, in whatever case."
)
_OF_CHILDREN: Final = "Sub-workflows and replays too."
_SINCE: Final = "Of threads that were started, or last resumed, from this on."
_UNTIL: Final = "Of threads that were started, or last resumed, before this."


class ThreadCountsQuery(Query):
    """Which threads are counted."""

    workflow: Annotated[ShortText | None, Field(description="Of the workflow of that name.")] = None
    since: Annotated[Time | None, Field(description=_SINCE)] = None
    until: Annotated[Time | None, Field(description=_UNTIL)] = None
    triggered_by: ShortText | None = None
    children: Annotated[bool, Field(description=_OF_CHILDREN)] = False


class ThreadsQuery(Page):
    """Which threads."""

    status: Annotated[Statuses | None, Field(description=_OF_STATUS)] = None
    workflow: Annotated[ShortText | None, Field(description="Of the workflow of that name.")] = None
    since: Annotated[Time | None, Field(description=_SINCE)] = None
    until: Annotated[Time | None, Field(description=_UNTIL)] = None
    triggered_by: ShortText | None = None
    text: Annotated[Sought | None, Field(description=_OF_TEXT)] = None
    children: Annotated[bool, Field(description=_OF_CHILDREN)] = False
    ids: Annotated[Ids | None, Field(description="These threads, whichever they are, and no other filter.")] = None

    @model_validator(mode="after")
    def _ids_alone(self) -> ThreadsQuery:
        if self.ids is not None and not self.model_fields_set <= {"ids", "limit"}:
            raise ValueError("`ids` goes with no other parameter but `limit`")
        return self

    @property
    def named(self) -> list[str] | None:
        """The threads that are asked for by their ids: all of them, or as many as the limit says."""
        given = "limit" in self.model_fields_set
        return self.ids[: self.limit] if self.ids is not None and given else self.ids


class ThreadsWhere(Body):
    """The filters of the list; without `status` those threads that the request is usually for."""

    status: Annotated[StatusesOrList | None, Field(description=_OF_STATUS)] = None
    workflow: Annotated[ShortText | None, Field(description="Of the workflow of that name.")] = None
    since: Annotated[Time | None, Field(description=_SINCE)] = None
    until: Annotated[Time | None, Field(description=_UNTIL)] = None
    triggered_by: ShortText | None = None
    text: Annotated[Sought | None, Field(description=_OF_TEXT)] = None
    children: Annotated[bool, Field(description=_OF_CHILDREN)] = False


class BulkRequest(Body):
    """Many threads at once: those that are named, or those that the list's filters leave, the newest first."""

    thread_ids: Annotated[list[ThreadId] | None, Field(min_length=1, max_length=MOST)] = None
    where: ThreadsWhere | None = None
    limit: Annotated[int, Field(ge=1, le=MOST, description="How many that `where` leaves.")] = MOST
    cursor: Annotated[
        str | None, Field(max_length=1000, description="`next_cursor` of the answer before, with the same `where`.")
    ] = None
    dry_run: Annotated[bool, Field(description="Change nothing: tell which threads these are.")] = False
    reason: Annotated[ShortText | None, Field(description="Told in the events of a cancel, and in the log.")] = None
    triggered_by: Annotated[ShortText | None, Field(description="Kept with a resume, and told in the log.")] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> BulkRequest:
        if (self.thread_ids is None) == (self.where is None):
            raise ValueError("should have either `thread_ids` or `where`")
        if self.cursor is not None and self.where is None:
            raise ValueError("`cursor` goes with `where`")
        return self


class BulkCancelRequest(BulkRequest):
    """Many threads at once, to be stopped for good."""

    force: Annotated[bool, Field(description="Do not ask the processes that drive them first.")] = False
