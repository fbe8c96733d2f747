"""Who does a step, and on what: the document's word, a variant's over it, an override's over both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain.variants import draw

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.commands import StepOverride
    from app.domain.spec import StepSpec
    from app.domain.variants import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Doer:
    """`agent` None: the document's own; `variant`: the one that was drawn and counts."""

    agent: str | None
    variant: Variant | None


_AS_WRITTEN: Final = Doer(agent=None, variant=None)


def doer_of(spec: StepSpec, thread_id: str, override: StepOverride | None) -> Doer:
    """The same for every attempt of a step in a thread: after a crash, a retry, a resume.

    An override that names an agent leaves no room for a variant.
    """
    if override is None and not spec.variants:
        return _AS_WRITTEN
    agent = override.agent if override is not None else None
    variant = draw(thread_id, spec.id, spec.variants) if agent is None else None
    return Doer(agent=variant.agent if variant is not None else agent, variant=variant)


def input_of(spec: StepSpec, doer: Doer, override: StepOverride | None, scope: Mapping[str, Any]) -> Any:
    """What it is done on; an override of the input goes on top of the variant's.  Raises ExpressionError."""
    value = scope["input"] if spec.input is None else spec.input.render(scope)
    if doer.variant is not None and doer.variant.input is not None:
        value = _merged(value, doer.variant.input.render(scope))
    if override is not None and override.input:
        value = _merged(value, override.input)
    return value


def _merged(value: Any, more: Mapping[str, Any]) -> Any:
    under = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    return {**under, **more}
