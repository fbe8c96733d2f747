"""What each tool takes, as models."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AliasChoices, Field
from pydantic_core import PydanticCustomError

from app.domain.ids import THREAD_ID
from app.mcp_server.reading import KEY, Arguments

LONGEST_WAIT: Final = 25.0
"""Seconds; clients give a call up after a minute or less."""


def _thread_id(given: str) -> str:
    """What could not stand in a path (`..`, say) must not lead to another route."""
    if THREAD_ID.match(given) is None:
        raise PydanticCustomError("thread_id", "is not the id of a thread: 1 to 128 of A-Z a-z 0-9 . _ : -")
    return given


Thread = Annotated[str, AfterValidator(_thread_id), Field(description="The thread_id that invoke_async gave.")]
Head = Annotated[
    int | None,
    Field(description="Refuse (version_conflict) unless the thread is at this version: guards against races."),
]
Step = Annotated[str | None, Field(description="The id of a step of the workflow.")]


class Override(Arguments):
    """Another agent for a step, values merged over its input."""

    agent: Annotated[str | None, Field(description="The name of the agent that does the step instead.")] = None
    input: Annotated[dict[str, Any] | None, Field(description="Values merged over the step's input.")] = None


Overrides = Annotated[
    dict[str, Override] | None, Field(description="By step id: another agent, or other input, for this run only.")
]


class InvokeAsync(Arguments):
    """Start a workflow."""

    workflow: Annotated[
        str | dict[str, Any],
        Field(description="A registered name, name@version, or a whole workflow document as an object."),
    ]
    input: Annotated[Any, Field(description="The workflow's input, any JSON value that fits its input schema.")] = None
    idempotency_key: Annotated[
        str | None,
        Field(
            pattern=KEY,
            description="Any text that names this start (1 to 255 printable ASCII characters). Calling again with the same "
            "key and arguments starts nothing new and gives the same thread. Always give one if you may retry.",
        ),
    ] = None
    thread_id: Annotated[
        str | None,
        Field(description="An id of your own (A-Z a-z 0-9 . _ : -, at most 128); one is made without it."),
    ] = None
    context: Annotated[dict[str, Any] | None, Field(description="Variables that steps see as {context.NAME}.")] = None
    queue: Annotated[str | None, Field(description="The queue to wait in for a slot; `default` without it.")] = None
    priority: Annotated[int | None, Field(description="-1000 to 1000; the higher is taken up first.")] = None
    delay: Annotated[float | str | None, Field(description='Start no sooner: seconds, or "30s", "5m", "24h".')] = None
    triggered_by: Annotated[str | None, Field(description="Who starts it, kept with the execution.")] = None


class InvokeStatus(Arguments):
    """Where a thread stands."""

    thread_id: Thread


class InvokeStream(Arguments):
    """A thread's events."""

    thread_id: Thread
    cursor: Annotated[
        int,
        Field(
            ge=0,
            validation_alias=AliasChoices("cursor", "after", "next_cursor"),
            description="`next_cursor` of the call before; 0 (or nothing) for all events from the first.",
        ),
    ] = 0
    max_events: Annotated[
        int,
        Field(ge=1, le=500, validation_alias=AliasChoices("max_events", "limit", "maxEvents")),
        Field(description="At most so many events."),
    ] = 50
    max_bytes: Annotated[int, Field(ge=1024, le=1_000_000, description="At most so many bytes of events.")] = 32_768
    wait: Annotated[
        float,
        Field(
            ge=0,
            le=LONGEST_WAIT,
            validation_alias=AliasChoices("wait", "timeout", "wait_seconds"),
            description="Seconds to wait for news when there is none yet, 0 to 25.",
        ),
    ] = LONGEST_WAIT
    until: Annotated[
        Literal["event", "end"],
        Field(
            description="`event`: answer as soon as there is an event. `end`: gather events until the thread has ended, "
            "waits for somebody's answer, a bound is reached or the time is over."
        ),
    ] = "event"


class InvokeResume(Arguments):
    """Go on."""

    thread_id: Thread
    from_step: Annotated[
        str | None,
        Field(description="Run this step again, and all that depend on it, though it had completed."),
    ] = None
    skip: Annotated[
        dict[str, Any] | None,
        Field(
            description='Steps not to run, each with the output it is to count as having: {"publish": {"url": "..."}}.'
        ),
    ] = None
    overrides: Overrides = None
    expected_version: Head = None
    triggered_by: Annotated[str | None, Field(description="Who asks for it.")] = None


class InvokeRollback(Arguments):
    """Go back."""

    thread_id: Thread
    to_version: Annotated[int, Field(ge=1, description="A version of invoke_history; it becomes the head again.")]
    dry_run: Annotated[bool, Field(description="Change nothing: tell which steps would be undone and run again.")] = (
        False
    )
    resume: Annotated[bool, Field(description="Run on from there at once; false leaves the thread paused.")] = True
    compensate: Annotated[bool, Field(description="First run the compensations of the steps that are undone.")] = False
    reason: Annotated[str | None, Field(description="Why; kept in the thread's events.")] = None
    overrides: Overrides = None
    context: Annotated[dict[str, Any] | None, Field(description="Variables to set or change.")] = None
    expected_version: Head = None


class InvokeHistory(Arguments):
    """Look back."""

    thread_id: Thread
    version: Annotated[
        int | None,
        Field(ge=1, description="Tell the whole state at this version: input, context, every step's output."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=200, description="At most so many versions.")] = 20
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before.")] = None
    from_version: Annotated[int | None, Field(ge=1, description="Only versions from this one on.")] = None
    to_version: Annotated[int | None, Field(ge=1, description="Only versions up to this one.")] = None
    step: Annotated[str | None, Field(description="Only versions that this step wrote (or START, END).")] = None


class InvokeCancel(Arguments):
    """Stop."""

    thread_id: Thread
    reason: Annotated[str | None, Field(description="Why; kept in the thread's error.")] = None
    force: Annotated[bool, Field(description="Do not wait for running steps to stop.")] = False


class GateAnswer(Arguments):
    """Answer a question."""

    thread_id: Thread
    step_id: Annotated[
        str | None,
        Field(
            pattern="[^.]",
            validation_alias=AliasChoices("step_id", "stepId", "step"),
            description="The step that asks. Without it the open gates of the thread are listed and nothing is answered.",
        ),
    ] = None
    answer: Annotated[Any, Field(description="The answer, any JSON value that fits the gate's form.")] = None
    by: Annotated[str | None, Field(description="Who answers; kept with the answer.")] = None
    item: Annotated[int | None, Field(ge=0, description="Which item of a for_each asks, if several do.")] = None
    round: Annotated[int | None, Field(ge=0, description="Which question of a step that asks several.")] = None


class MessageSend(Arguments):
    """Send what is waited for."""

    thread_id: Annotated[Thread | None, Field(description="The thread that waits for a signal; not with `topic`.")] = (
        None
    )
    signal: Annotated[
        str | None,
        Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", description="The name of the signal that it waits for."),
    ] = None
    topic: Annotated[
        str | None,
        Field(pattern="[^.]", description="Instead of these: publish a message on this topic, `orders.paid` say."),
    ] = None
    data: Annotated[
        Any, Field(description="What is said, any JSON value; text of a JSON object or array is sent as that.")
    ] = None
    by: Annotated[str | None, Field(description="Who sends the signal; kept with it.")] = None
    idempotency_key: Annotated[
        str | None, Field(pattern=KEY, description="Sending again with the same key sends nothing twice.")
    ] = None


class WorkflowMonitor(Arguments):
    """What is going on."""

    workflow: Annotated[str | None, Field(description="Only threads of the workflow of this name.")] = None
    stuck_after: Annotated[
        float,
        Field(ge=0, le=31_536_000, description="Seconds without any progress after which a thread counts as stuck."),
    ] = 60.0
    limit: Annotated[
        int, Field(ge=1, le=100, description="At most so many threads, those that moved longest ago first.")
    ] = 20
