"""The tools that are always there, by name: what each is for, what it takes and gives, and who does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.mcp_server import arguments, following, looking, schemas, sending, starting, steering

if TYPE_CHECKING:
    from app.mcp_server.calling import Answer, Call, Document
    from app.mcp_server.reading import Arguments

    Do = Callable[[Call, Any], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`reads`: it changes nothing.  `destroys`: what it changes cannot simply be taken back.  `repeats`: twice is as once."""

    name: str
    title: str
    description: str
    takes: type[Arguments]
    gives: Document
    do: Do
    reads: bool = False
    destroys: bool = False
    repeats: bool = False


_TOOLS: Final = (
    Tool(
        name="invoke_async",
        title="Start a workflow",
        description="Start a durable workflow and return at once with its thread_id and how long it is likely to take. "
        "The workflow runs on by itself, also when this client goes away or the service restarts. Use it whenever work is to "
        "be done by a registered workflow (the resource backstitch://workflows lists them). Give an idempotency_key, so that "
        "a retry starts nothing twice. Next: invoke_stream with the thread_id to follow it to its end.",
        takes=arguments.InvokeAsync,
        gives=schemas.STARTED,
        do=starting.invoke_async,
    ),
    Tool(
        name="invoke_status",
        title="Where a thread stands",
        description="Tell where a thread stands now: status, progress, every step, the output once it has completed, the "
        "error if it failed, the question if it waits for an answer. Use it for a look; to wait for something use "
        "invoke_stream instead of calling this again and again.",
        takes=arguments.InvokeStatus,
        gives=schemas.STATUS,
        do=starting.invoke_status,
        reads=True,
        repeats=True,
    ),
    Tool(
        name="invoke_stream",
        title="Follow a thread",
        description="Follow a thread: give the events after `cursor`, and wait up to 25 seconds for news if there is none yet. "
        "Call it again with cursor=next_cursor until done is true; then every event was given exactly once, whatever came "
        "between (lost connections, restarts of the service). With until=end it gathers until the thread has ended or asks "
        "something. At gate_waiting call gate_answer, at workflow_failed invoke_resume. `sse` is for programs that would "
        "rather read a stream.",
        takes=arguments.InvokeStream,
        gives=schemas.EVENTS,
        do=following.invoke_stream,
        reads=True,
        repeats=True,
    ),
    Tool(
        name="invoke_resume",
        title="Go on, retry or skip",
        description="Let a thread go on that failed, was cancelled, interrupted or paused. Nothing that completed runs again: "
        "called with the thread_id alone it tries again what failed. `from_step` runs a step again and all that depends on "
        "it, `skip` goes on without a step and takes the given output for it, `overrides` gives a step another agent or "
        "input. Next: invoke_stream.",
        takes=arguments.InvokeResume,
        gives=schemas.RESUMED,
        do=steering.invoke_resume,
    ),
    Tool(
        name="invoke_rollback",
        title="Go back to a version",
        description="Move a thread back to an earlier version of invoke_history and run on from there (a running thread is "
        "stopped first). Later versions stay in the history; what steps have done outside (mails sent, say) is not undone "
        "unless `compensate` is set. Call it with dry_run=true first: that tells what would be undone and what runs again. "
        "Next: invoke_stream.",
        takes=arguments.InvokeRollback,
        gives=schemas.ROLLED_BACK,
        do=steering.invoke_rollback,
        destroys=True,
    ),
    Tool(
        name="invoke_history",
        title="Versions of a thread",
        description="List the versions (checkpoints) of a thread, oldest first: which step wrote each, and what was done by "
        "then. With `version`: the whole state at it, with every step's output. Use it before invoke_rollback.",
        takes=arguments.InvokeHistory,
        gives=schemas.HISTORY,
        do=looking.invoke_history,
        reads=True,
        repeats=True,
    ),
    Tool(
        name="invoke_cancel",
        title="Stop a thread",
        description="Stop a thread for good; what it has done is kept. Use it when the work is not wanted any more. "
        "A thread that has ended is refused (thread_ended).",
        takes=arguments.InvokeCancel,
        gives=schemas.STATUS,
        do=steering.invoke_cancel,
        destroys=True,
        repeats=True,
    ),
    Tool(
        name="gate_answer",
        title="Answer a question of a workflow",
        description="Answer the question (gate) that a step of a thread asks and waits for. Without step_id it answers nothing "
        "and lists the open gates of the thread: what each asks, shows, and the form of the answer. The first answer holds. "
        "Questions are meant for people: ask your user unless you were told how to answer. Next: invoke_stream.",
        takes=arguments.GateAnswer,
        gives=schemas.ANSWERED,
        do=steering.gate_answer,
        destroys=True,
    ),
    Tool(
        name="message_send",
        title="Send what a workflow waits for",
        description="Send a signal to a thread whose step waits for it (thread_id and signal), or publish a message on a "
        "topic, which every step that waits for such a message takes and every trigger that it fits starts a workflow of. "
        "workflow_monitor tells what is waited for. What is sent before a step waits for it is kept. Give an "
        "idempotency_key, so that a retry sends nothing twice. Next: invoke_stream.",
        takes=arguments.MessageSend,
        gives=schemas.SENT,
        do=sending.message_send,
    ),
    Tool(
        name="workflow_monitor",
        title="What is going on",
        description="Tell which threads have not ended, how far each is, which are stuck and why (waiting for an answer, "
        "retrying after an error, an agent's breaker open, the queue full, the service unable to work), and what to do about "
        "each. Use it to find threads, and when something takes longer than it should.",
        takes=arguments.WorkflowMonitor,
        gives=schemas.MONITOR,
        do=looking.workflow_monitor,
        reads=True,
        repeats=True,
    ),
)
TOOLS: Final = {tool.name: tool for tool in _TOOLS}
"""By name, in the order in which they are listed."""
INSTRUCTIONS: Final = (
    "Backstitch runs durable workflows. Start one with invoke_async, follow it with invoke_stream (again and again with "
    "next_cursor until done), answer its questions with gate_answer, send it what it waits for with message_send. "
    "What failed goes on with invoke_resume; invoke_history and invoke_rollback go back. workflow_monitor tells what is "
    "stuck and why. Every error says what to do."
)
