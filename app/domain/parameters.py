"""What a resume or rollback asked for, kept on its execution so that crash recovery does the same again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, cast

from app.domain import jsontext
from app.domain.commands import StepOverride
from app.domain.spec import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """`reset`: steps to run again; `context`: variables to set; `keys`: the execution in the idempotency key of a step
    that an earlier execution began and did not finish; `quiet`: steps of `reset` whose variable was set anew since, so that
    their running again must not set it; `limits`: instead of the workflow's; `sessions`: those that steps of `keys` had kept.
    """

    reset: tuple[str, ...] = ()
    context: dict[str, Any] = field(default_factory=dict[str, Any])
    skip: dict[str, Any] = field(default_factory=dict[str, Any])
    overrides: dict[str, StepOverride] = field(default_factory=dict[str, StepOverride])
    keys: dict[str, str] = field(default_factory=dict[str, str])
    quiet: tuple[str, ...] = ()
    limits: Limits | None = None
    sessions: dict[str, str] = field(default_factory=dict[str, str])

    def text(self) -> str | None:
        """As JSON, None when there is nothing to keep."""
        if self == NOTHING:
            return None
        overrides = {step: {"agent": o.agent, "input": dict(o.input)} for step, o in self.overrides.items()}
        return jsontext.dumps(
            {
                "reset": list(self.reset),
                "context": self.context,
                "skip": self.skip,
                "overrides": overrides,
                "keys": self.keys,
                **({"quiet": list(self.quiet)} if self.quiet else {}),
                **({"limits": asdict(self.limits)} if self.limits is not None else {}),
                **({"sessions": self.sessions} if self.sessions else {}),
            }
        )


NOTHING = Parameters()


def parse(text: str | None) -> Parameters:
    """The parameters of an execution's row.  Raises ValueError, KeyError or JsonError for what is none."""
    if text is None:
        return NOTHING
    value = _table(jsontext.loads(text))
    overrides = {step: _table(one) for step, one in _table(value["overrides"]).items()}
    return Parameters(
        reset=_names(value["reset"]),
        context=_table(value["context"]),
        skip=_table(value["skip"]),
        overrides={
            step: StepOverride(agent=one["agent"], input=_table(one["input"])) for step, one in overrides.items()
        },
        keys=_texts(value["keys"]),
        quiet=_names(value.get("quiet", [])),
        limits=_limits(value.get("limits")),
        sessions=_texts(value.get("sessions", {})),
    )


def _limits(value: Any) -> Limits | None:
    if value is None:
        return None
    given = _table(value)
    if not all(each is None or (isinstance(each, int | float) and each >= 0) for each in given.values()):
        raise ValueError("not a limit")
    return Limits(**{name: given.get(name) for name in ("max_cost_usd", "max_tokens", "deadline")})


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - it is the text that is wrong
    return cast("dict[str, Any]", value)


def _texts(value: Any) -> dict[str, str]:
    table = _table(value)
    return dict(zip(table, _names(list(table.values())), strict=True))


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in cast("list[Any]", value)):
        raise ValueError("not a list of names")
    return tuple(cast("list[str]", value))
