"""A workflow as the engine runs it: the parsed, checked and frozen form of a workflow document.

`domain.document` makes it from YAML or JSON; `domain.plan` says which of its steps may start when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.plan import Plan
    from app.domain.retry import RetryPolicy
    from app.domain.template import Condition, Template

KINDS = ("agent", "python", "http", "workflow", "gate", "sleep")
WAITING = frozenset({"workflow", "gate", "sleep"})
"""Kinds that wait without a slot: their timeout is that of the whole step run, and the document's default is not theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One step.

    `kind` is one of KINDS; `target` the value under that key (an agent's or function's name, the http mapping, a workflow
    reference, a gate without its form, a duration), as a Template since it may hold holes; `form` is the JSON Schema of a
    gate's answer.  `input` None: the step gets the thread's input.
    `needs` are the ids of the steps that must have ended: written, implied by order, and referenced.
    `timeout` in seconds, None for none; `max_silence` is how many seconds an attempt may go without a report.
    """

    id: str
    index: int
    kind: str
    target: Template
    form: Mapping[str, Any] | None = None
    input: Template | None = None
    needs: frozenset[str] = frozenset()
    when: Condition | None = None
    assign: str | None = None
    timeout: float | None = None
    max_silence: float | None = None
    retry: RetryPolicy

    @property
    def agent(self) -> str | None:
        """The name of the agent or function that does it, if the kind has one."""
        name = self.target.source
        return name if self.kind in ("agent", "python") and isinstance(name, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSpec:
    """A whole workflow; `hash` is the SHA-256 (hex) of its canonical document."""

    name: str
    steps: tuple[StepSpec, ...]
    by_id: Mapping[str, StepSpec]
    plan: Plan
    output: Template | None
    input_schema: Mapping[str, Any] | None
    document: Mapping[str, Any] = field(repr=False)
    hash: str
    description: str | None = None
