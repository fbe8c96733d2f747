"""What people ask of the engine, and what they get back at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from app.domain.errors import BackstitchError
    from app.domain.records import ThreadRecord
    from app.domain.spec import Limits
    from app.domain.webhooks import StartHook

    Check = Callable[[ThreadRecord], None]
    """Looks at a thread's row under its lock, and raises what is to come of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCommand:
    """Start a workflow: a registered name, name@version, or a whole document.

    With the id of an ended thread it resumes that thread (no `input`) or runs it anew (`has_input`).
    `request_sha256` is the digest of the request that `idempotency_key` stands for.  A new thread waits for `delay` seconds
    and then in `queue` for a slot, those of a higher `priority` first; an existing one stays where it was born.
    `omits_input`: the request did not even say null.  `traceparent`: the span that asks for it, if it is traced.
    `chain`: the ids of the triggers that have led to it, one by the thread that the one before it started.
    `webhook` is told of the thread from this start on.
    """

    workflow: str | Mapping[str, Any]
    input: Any = None
    has_input: bool = False
    omits_input: bool = False
    thread_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])
    triggered_by: str | None = None
    external_run_id: str | None = None
    idempotency_key: str | None = None
    request_sha256: bytes = b""
    queue: str | None = None
    priority: int | None = None
    delay: float = 0.0
    traceparent: str | None = None
    chain: tuple[str, ...] = ()
    tenant: str = "default"
    parent_thread_id: str | None = None
    parent_run_id: str | None = None
    webhook: StartHook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOverride:
    """For one execution: another agent for a step, values merged over its input."""

    agent: str | None = None
    input: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCommand:
    """Go on from the head; `from_step` runs again with all that depends on it, `skip` gives steps an output instead;
    `limits` stand in the place of the workflow's from now on.
    """

    thread_id: str
    from_step: str | None = None
    skip: Mapping[str, Any] = field(default_factory=dict[str, Any])
    overrides: Mapping[str, StepOverride] = field(default_factory=dict[str, StepOverride])
    limits: Limits | None = None
    expected_version: int | None = None
    triggered_by: str | None = None
    webhook: StartHook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A rollback writes its variables at once, as a version of their own on top of `to_version`, also of the end.

    With `step_id` that step has `output` from then on, as if it had ended with it; all that depends on it begins anew.
    """

    step_id: str | None = None
    output: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackCommand:
    """Move the head to `to_version`; run on from there, or stay paused.

    `compensate`: first undo, with the compensations that their steps declare, what is left behind.
    """

    thread_id: str
    to_version: int
    resume: bool = True
    compensate: bool = False
    reason: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])
    overrides: Mapping[str, StepOverride] = field(default_factory=dict[str, StepOverride])
    edit: Edit | None = None
    expected_version: int | None = None
    triggered_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The thread as it is once the request is durable.

    `created`: a new thread.  `replayed`: an Idempotency-Key that was used before.  `nothing_to_do`: a completed thread was
    asked to go on.  `from_version` is the head before a resume or rollback.
    """

    thread: ThreadRecord
    execution_id: str
    created: bool = False
    replayed: bool = False
    nothing_to_do: bool = False
    from_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One thread that a fork makes: its `name` among the others, what it does otherwise, the id that it shall have."""

    name: str
    overrides: Mapping[str, StepOverride] = field(default_factory=dict[str, StepOverride])
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])
    thread_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkCommand:
    """New threads with the state of a thread at `version` (None: its head), one for each of `variants`.

    Without `resume` they stay paused.  `idempotency_key` and `request_sha256` as in StartCommand.
    """

    thread_id: str
    version: int | None = None
    variants: Sequence[Variant]
    resume: bool = True
    reason: str | None = None
    triggered_by: str | None = None
    idempotency_key: str | None = None
    request_sha256: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """What became of one variant: the new thread, or why there is none."""

    variant: Variant
    accepted: Accepted | None = None
    error: BackstitchError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked:
    """What became of a fork of `thread_id` at `version`; at least one variant was made."""

    thread_id: str
    version: int
    forks: Sequence[Fork]
