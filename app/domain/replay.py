"""Step replay: one recorded step run done again, with its recorded input, in a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain.template import literal

if TYPE_CHECKING:
    from app.domain.spec import StepSpec

REPLAY: Final = "replay"
"""What the workflow of a replay is called."""
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""HTTP methods that change nothing (RFC 9110, section 9.2.1)."""
WITH_INPUT: Final = frozenset({"agent", "python", "workflow"})
"""Kinds of steps whose input is what they are done on; that of others stands in their own part of the document."""
_HELD_BACK: Final = frozenset({"idempotent", "irreversible"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCommand:
    """Do a step of a thread again: its present run, or that of `execution_id`, or `run_id`; of a step that is done in items or
    iterations one of them, `item`.

    `agent` does it instead, `input` is merged over the recorded one.  `allow_effects`: also where it changes something outside.
    """

    thread_id: str
    step_id: str
    execution_id: str | None = None
    run_id: str | None = None
    item: int | None = None
    agent: str | None = None
    input: Mapping[str, Any] | None = None
    allow_effects: bool = False
    new_thread_id: str | None = None
    triggered_by: str | None = None
    idempotency_key: str | None = None
    request_sha256: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A step as it was done: its spec, who did it, its own part of the document with the templates filled in, its input."""

    step: StepSpec
    agent: str | None
    target: Any
    input: Any


def effect_of(step: StepSpec) -> str | None:
    """Why doing a step again may change something outside; None where nothing says so."""
    if step.effect in _HELD_BACK:
        return f"it declares the effect {step.effect!r}"
    if step.compensate is not None:
        return "it declares a compensation"
    if step.kind == "http" and step.effect is None:
        source: Any = step.target.source
        target = cast("dict[str, Any]", source) if isinstance(source, dict) else {}
        method = str(target.get("method") or ("POST" if "json" in target else "GET"))
        return None if method in READING else f"it sends {method}"
    return None


def document_of(recorded: Recorded) -> tuple[dict[str, Any], Any]:
    """The workflow that does it again, and that workflow's input: large values stand there, and not in the document."""
    step = recorded.step
    part, given = _part(recorded)
    document: dict[str, Any] = {"id": step.id, step.kind: part, "retry": _retry(step)}
    limits = {"timeout": step.timeout, "max_silence": step.max_silence}
    document |= {name: limit for name, limit in limits.items() if limit is not None}
    return {"name": REPLAY, "steps": [document], "output": f"{{{step.id}.output}}"}, given


def _part(recorded: Recorded) -> tuple[Any, Any]:
    """The step's own part of the document, without templates but for what the workflow's input holds."""
    kind = recorded.step.kind
    if kind in WITH_INPUT:
        return (recorded.agent if kind != "workflow" else recorded.target), recorded.input
    whole: Any = recorded.target
    if not isinstance(whole, dict):
        return literal(whole), {}
    target = cast("dict[str, Any]", whole)
    aside = {name: target[name] for name in ("json", "arguments", "show", "on_timeout") if name in target}
    part: dict[str, Any] = {
        name: f"{{input.{name}}}" if name in aside else literal(value) for name, value in target.items()
    }
    if recorded.step.form is not None:
        part["form"] = dict(recorded.step.form)
    return part, aside


def _retry(step: StepSpec) -> dict[str, Any]:
    policy: dict[str, Any] = asdict(step.retry)
    on = policy.pop("on", None)
    return {**policy, **({"on": list(on)} if on else {})}
