"""The bodies and queries of the routes of messages and triggers."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from app.api.parsing import Body
from app.api.requests import Duration, Page, Priority, QueueName, ShortText, Time
from app.domain import topics
from app.domain.document_schema import NAME
from app.domain.triggers import DEFAULT_INPUT, MAX_WINDOW, Outcome

_DAY: Final = 86_400.0
_TOPIC: Final = r"^[A-Za-z0-9_~:@+=-]+(\.[A-Za-z0-9_~:@+=-]+)*$"


def _pattern(value: str) -> str:
    topics.check_pattern(value)
    return value


TopicName = Annotated[str, Field(min_length=1, max_length=topics.LONGEST, json_schema_extra={"pattern": _TOPIC})]
Pattern = Annotated[
    str, AfterValidator(_pattern), Field(description="`*` is any one word, `>` at the end one or more.")
]
PatternText = Annotated[str, Field(min_length=1, max_length=topics.LONGEST)]
"""A pattern that is checked with all else of its trigger."""
TriggerName = Annotated[str, Field(pattern=NAME)]
Cel = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]
WorkflowName = Annotated[str, Field(min_length=1, max_length=160, pattern=r"^[^\x00]*$")]
Description = Annotated[str, Field(max_length=2_000, pattern=r"^[^\x00]*$")]
_ANY: Final = WithJsonSchema({"description": "A template over `message`, any JSON value."})


class MessagesQuery(Page):
    """Which messages."""

    topic: Annotated[Pattern | None, Field(description="On topics of this pattern.")] = None
    source: ShortText | None = None
    since: Annotated[Time | None, Field(description="Published since then.")] = None


class DeduplicateRequest(Body):
    """One thread for all messages of a key that are published within the window after the first."""

    key: Annotated[Cel, Field(description="A template over `message`.")]
    window: Annotated[Duration, Field(gt=0, le=MAX_WINDOW)] = _DAY


class _Options(Body):
    """What may be said of a trigger."""

    condition: Annotated[Cel | None, Field(description="CEL over `message`; without it all are meant.")] = None
    input: Annotated[Any, _ANY] = DEFAULT_INPUT
    deduplicate: DeduplicateRequest | None = None
    enabled: bool | None = None
    queue: QueueName | None = None
    priority: Priority | None = None
    delay: Annotated[Duration | None, Field(description="How long each thread waits before it is due.")] = None
    description: Description | None = None

    def fields(self) -> dict[str, Any]:
        """Those of domain.triggers.Trigger that were given."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "deduplicate" in given:
            asked = given.pop("deduplicate")
            given |= {"key": asked and asked.key, "window": asked and asked.window}
        if "delay" in given:
            given["delay"] = given["delay"] or 0.0
        if "enabled" in given:
            given["enabled"] = given["enabled"] is not False
        return given


class TriggerRequest(_Options):
    """Start a workflow for each message on some topics."""

    name: TriggerName
    topic: Annotated[PatternText, Field(description="Which topics: orders.*, workflow.workflow_complete.>")]
    workflow: Annotated[WorkflowName, Field(description="A registered name, or name@version.")]


class TriggerChange(_Options):
    """What is to be another; null is what it is without, what is missing stays."""

    topic: PatternText | None = None
    workflow: WorkflowName | None = None


class TriedMessage(Body):
    """A message that need not exist; `time` is now, and the rest made up, where it is not given."""

    topic: TopicName
    data: Any = None
    id: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")] = "test"
    source: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00]*$")] = "test"
    type: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    subject: ShortText | None = None
    attributes: dict[str, str | bool | int] | None = None


class TriggerTestRequest(Body):
    """Which message to try: one that is given, or one of the log."""

    message: TriedMessage | None = None
    message_id: Annotated[str | None, Field(max_length=255, pattern=r"^[^\x00]*$")] = None
    source: Annotated[str | None, Field(max_length=255, pattern=r"^[^\x00]*$")] = None


class FiringsQuery(Page):
    """Which firings."""

    outcome: Outcome | None = None
