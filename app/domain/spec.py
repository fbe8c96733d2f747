"""A workflow as the engine runs it: the parsed, checked and frozen form of a workflow document.

`domain.document` makes it from YAML or JSON; `domain.plan` says which of its steps may start when.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from app.domain.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.checkpoints import CheckpointPolicy
    from app.domain.plan import Plan
    from app.domain.retry import RetryPolicy
    from app.domain.template import Condition
    from app.domain.variants import Variant

KINDS = ("agent", "python", "http", "mcp", "workflow", "gate", "wait_for", "sleep")
WAITING = frozenset({"workflow", "gate", "wait_for", "sleep"})
"""Kinds that wait without a slot: their timeout is that of the whole step run, and the document's default is not theirs."""


CONCURRENCY: Final = 10
"""Items that run at a time if a step does not say otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEach:
    """A step for each item of a list: `items` gives the list, at most `concurrency` run at a time.

    `collect`: an item that fails stands in the output as {"error": ...} instead of failing the step.
    """

    items: Template
    concurrency: int = CONCURRENCY
    collect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A step again and again until a condition over its own last output holds, with `delay` seconds between.

    After `max_iterations` it fails, or with `go_on` ends with its last output.
    """

    until: Condition
    max_iterations: int
    delay: float = 0.0
    go_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """What happens when a step has failed for good with one of `kinds` (None: any): the thread goes on, first with the step
    `run` if one is named.
    """

    kinds: tuple[str, ...] | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a thread may cost, US dollars and tokens in and out together, and for how many seconds an execution may go on."""

    max_cost_usd: float | None = None
    max_tokens: int | None = None
    deadline: float | None = None


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One step.

    `kind` is one of KINDS; `target` the value under that key (an agent's or function's name, the http or mcp mapping,
    a workflow reference, a gate without its form, what is waited for, a duration), as a Template since it may hold holes;
    `form` is the JSON Schema of a gate's answer.  `input` None: the step gets the thread's input.
    `needs` are the ids of the steps that must have ended: written, implied by order, and referenced.
    `timeout` in seconds, None for none; `max_silence` is how many seconds an attempt may go without a report.  `rescues` are
    the steps after whose caught failure it runs (else it is skipped); `effect` says what it does to the world outside,
    `compensate` is the step that undoes it.  `call` is where, and as what, a workflow in Python called it.
    `variants`: who else may do it, one of them drawn for each thread.  `checkpoint`: its version is shown under every policy.
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
    for_each: ForEach | None = None
    repeat: Repeat | None = None
    catch: Catch | None = None
    rescues: tuple[str, ...] = ()
    effect: str | None = None
    compensate: StepSpec | None = None
    call: str | None = None
    variants: tuple[Variant, ...] = ()
    checkpoint: bool = False

    @property
    def composite(self) -> bool:
        """Whether it is done in parts, each of which is durable by itself: items or iterations."""
        return self.for_each is not None or self.repeat is not None

    @property
    def agent(self) -> str | None:
        """The name of the agent or function that does it, if the kind has one."""
        name = self.target.source
        return name if self.kind in ("agent", "python") and isinstance(name, str) else None

    def done_by(self, agent: str) -> StepSpec:
        """The same step, done by another agent or function."""
        return replace(self, target=Template(agent, None, frozenset(), {}), variants=())


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSpec:
    """A whole workflow; `hash` is the SHA-256 (hex) of its canonical document.

    One that is written in Python has no steps until it runs: `code` is the name that its function is registered under.
    `checkpoint`: which versions are shown, None: as the service is set.
    """

    name: str
    steps: tuple[StepSpec, ...]
    by_id: Mapping[str, StepSpec]
    plan: Plan
    output: Template | None
    input_schema: Mapping[str, Any] | None
    document: Mapping[str, Any] = field(repr=False)
    hash: str
    description: str | None = None
    limits: Limits = NO_LIMITS
    code: str | None = None
    checkpoint: CheckpointPolicy | None = None
