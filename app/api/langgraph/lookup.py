"""What a client means: the workflow of an assistant's id, a thread of ours or only of the SDK's, a version, a run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from app.api.answers import known_form, no_thread
from app.api.cursors import is_uuid
from app.api.langgraph.replies import wrong
from app.domain import jsontext
from app.domain.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.api.services import Services
    from app.domain.records import ExecutionRecord, ThreadRecord, WorkflowRecord
    from app.domain.sdk_threads import SdkThread

_REFERENCE: Final = re.compile(r"(?P<name>[^@\x00]{1,200})(?:@(?P<version>[1-9][0-9]{0,8}))?\Z")
_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""In JSON text, where a backslash of the value itself is doubled."""
METADATA_BYTES: Final = 64_000
"""Of the metadata of a thread or a run, as JSON: lists read that of a thousand at once."""
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}\Z")
_PLACE: Final = frozenset({"thread_id", "checkpoint_ns", "checkpoint_id", "checkpoint_map"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """A workflow as clients know it: `record` is the version that is meant, `reference` how it is started."""

    assistant_id: str
    record: WorkflowRecord
    first: WorkflowRecord
    reference: str


async def assistant_of(services: Services, asked: str) -> Assistant:
    """By its UUID, its name, or name@version.  Raises NotFound (workflow_not_found)."""
    record, name, version = None, asked, None
    if is_uuid(asked):
        record = await services.registry.definition(asked.lower())
        name = record.name if record is not None else asked
    if record is None or record.version is not None:
        known = _REFERENCE.match(name)
        version = int(known["version"]) if known and known["version"] else None
        record = await services.registry.workflow(known["name"], version) if known else None
    if record is None:
        raise NotFound(f"there is no assistant {asked[:128]!r}: no workflow has that name", code="workflow_not_found")
    first = await first_version(services, record)
    reference = record.name if version is None else f"{record.name}@{version}"
    return Assistant(assistant_id=first.id, record=record, first=first, reference=reference)


async def first_version(services: Services, record: WorkflowRecord) -> WorkflowRecord:
    """Whose id is that of the assistant, whatever version comes later; a document that was started directly has none."""
    if record.version in (None, 1):
        return record
    return await services.registry.workflow(record.name, 1) or record


async def assistant_id_of(services: Services, definition_id: str) -> tuple[str, str]:
    """The assistant's id and the graph's of a definition; ids of their own where that is gone."""
    record = await services.registry.definition(definition_id)
    if record is None:
        return definition_id, definition_id
    return (await first_version(services, record)).id, record.name


async def known_thread(services: Services, thread_id: str) -> tuple[SdkThread | None, ThreadRecord | None]:
    """What is kept of a thread, and the thread itself once it has run.  Raises NotFound where there is neither."""
    kept = await services.sdk_threads.get(known_form(thread_id))
    thread = await services.reads.thread(thread_id)
    if kept is None and thread is None:
        raise no_thread(thread_id)
    return kept, thread


async def thread_that_ran(services: Services, thread_id: str) -> ThreadRecord:
    """The thread of ours.  Raises NotFound, Conflict (thread_not_started)."""
    _, thread = await known_thread(services, thread_id)
    if thread is None:
        raise Conflict(f"thread {thread_id} has had no run yet", code="thread_not_started")
    return thread


async def run_of(services: Services, thread_id: str, run_id: str) -> ExecutionRecord:
    """The run of a thread.  Raises NotFound (execution_not_found), also for one that was deleted by a client."""
    found = await services.reads.execution(run_id.lower()) if is_uuid(run_id) else None
    if found is not None and found.thread_id == thread_id:
        notes = await services.sdk_threads.runs([found.id])
        if found.id not in notes or not notes[found.id].hidden:
            return found
    raise NotFound(f"thread {thread_id[:128]!r} has no run {run_id[:128]!r}", code="execution_not_found")


def version_in(checkpoint: Mapping[str, Any] | None, checkpoint_id: str | None, thread_id: str) -> int | None:
    """The version that a checkpoint names, None for the head.  Raises NotFound, InvalidRequest."""
    place = _place(checkpoint or {})
    given: Any = place.get("checkpoint_id") or checkpoint_id
    if place.get("checkpoint_ns"):
        raise wrong("checkpoint", "a workflow has no subgraphs: checkpoint_ns is empty")
    if (place.get("thread_id") or thread_id) != thread_id:
        raise wrong("checkpoint", "it is of another thread")
    if given is None:
        return None
    if not isinstance(given, str) or _VERSION.match(given) is None:
        raise NotFound(f"no checkpoint {str(given)[:128]!r}: their ids are versions", code="version_not_found")
    return int(given)


def _place(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """A checkpoint as the SDK for Python passes it, or in a config as that for JavaScript does.  Raises InvalidRequest."""
    config: Any = checkpoint.get("configurable")
    if isinstance(config, dict):
        return cast("dict[str, Any]", config)
    unknown = sorted(checkpoint.keys() - _PLACE)
    if unknown:
        raise wrong("checkpoint", f"{unknown[0][:40]!r} is not of a checkpoint")
    return checkpoint


def storable(metadata: Mapping[str, Any] | None, kept: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Metadata as the store can keep and search it, beside what is kept.  Raises InvalidRequest."""
    found = dict(metadata or {})
    text = jsontext.dumps(found)
    if len(text) > METADATA_BYTES or (kept and len(jsontext.dumps({**kept, **found})) > METADATA_BYTES):
        raise wrong("metadata", f"it is larger than {METADATA_BYTES:,} bytes: larger things belong into the input")
    if _NUL.search(text):
        raise wrong("metadata", "it holds the character \\u0000, which cannot be searched")
    return found
