"""The tool that sends what workflows wait for, and are started by: a signal to one thread, a message on a topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.client.messages import Messages
from app.client.waits import Waits
from app.mcp_server.calling import Answer, Call, Document, Refused
from app.mcp_server.lenient import unpacked
from app.mcp_server.wording import next_text

if TYPE_CHECKING:
    from app.mcp_server.arguments import MessageSend

_BOTH: Document = {"thread_id": None, "signal": None, "topic": None, "message_id": None, "taken": None}


async def message_send(call: Call, given: MessageSend) -> Answer:
    """A signal where a thread is named, else a message."""
    key = given.idempotency_key or call.key
    if given.thread_id is not None and given.signal is not None and given.topic is None:
        return await _signal(call, given.thread_id, given.signal, given, key)
    if given.topic is not None and given.thread_id is None and given.signal is None:
        return await _message(call, given.topic, given, key)
    raise Refused(
        "invalid_arguments",
        "give thread_id and signal, or topic alone",
        "workflow_monitor tells of each thread that waits which signal or topic that is for.",
    )


async def _signal(call: Call, thread_id: str, signal: str, given: MessageSend, key: str | None) -> Answer:
    sent = await Waits(call.service).send(
        thread_id, signal, unpacked(given.data), by=given.by or "mcp", idempotency_key=key
    )
    became = "a step has taken it" if sent["taken"] else "nothing waits for it yet: it is kept for the step that will"
    document = {**_BOTH, "thread_id": thread_id, "signal": signal, "taken": sent["taken"]}
    text = f"The signal {signal} is with thread {thread_id}; {became}."
    return Answer(document, f"{text}\n{next_text(sent['status'], thread_id)}")


async def _message(call: Call, topic: str, given: MessageSend, key: str | None) -> Answer:
    published = await Messages(call.service).publish(topic, unpacked(given.data), idempotency_key=key)
    document = {**_BOTH, "topic": topic, "message_id": published["id"]}
    again = " It had been published before, and was not again." if published["duplicate"] else ""
    text = (
        f"The message {published['id']} is on {topic}: the steps that wait for it and the triggers it fits act on it."
    )
    return Answer(document, text + again)
