"""What a resume, rollback or fork asked for, kept on its execution so that crash recovery does the same again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext, tracing
from app.domain.commands import StepOverride
from app.domain.errors import JsonError
from app.domain.records import WITH_INPUT
from app.domain.spec import Limits
from app.domain.tracing import NO_TRACE, Trace

if TYPE_CHECKING:
    from app.domain.records import ExecutionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a fork comes from: a version of another thread; `variant` is its name among those that were made with it."""

    thread_id: str
    version: int
    variant: str | None = None

    def value(self) -> dict[str, Any]:
        """As it is kept and shown."""
        return {"thread_id": self.thread_id, "version": self.version, "variant": self.variant}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOf:
    """Which step run a replay does again; `item`: which part of it, `version`: the state that its templates saw."""

    thread_id: str
    execution_id: str
    run_id: str
    step_id: str
    version: int
    item: int | None = None

    def value(self) -> dict[str, Any]:
        """As it is kept and shown."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """`reset`: steps to run again; `context`: variables to set; `keys`: the execution in the idempotency key of a step
    that an earlier execution began and did not finish; `quiet`: steps of `reset` whose variable was set anew since, so that
    their running again must not set it; `limits`: instead of the workflow's; `sessions`: those that steps of `keys` had kept;
    `marks`: which list the items were of that a step of `keys` had begun;
    `undo`: (step, run) of those that are to be compensated first, in that order, after which the thread pauses if `hold`;
    `forked_from`: a fork's, `replay_of`: a replay's, on its first execution only; `trace`: which one the execution is told
    of in; `chain`: see StartCommand, on the first execution only.
    """

    reset: tuple[str, ...] = ()
    context: dict[str, Any] = field(default_factory=dict[str, Any])
    skip: dict[str, Any] = field(default_factory=dict[str, Any])
    overrides: dict[str, StepOverride] = field(default_factory=dict[str, StepOverride])
    keys: dict[str, str] = field(default_factory=dict[str, str])
    quiet: tuple[str, ...] = ()
    limits: Limits | None = None
    sessions: dict[str, str] = field(default_factory=dict[str, str])
    marks: dict[str, str] = field(default_factory=dict[str, str])
    undo: tuple[tuple[str, str], ...] = ()
    hold: bool = False
    forked_from: Origin | None = None
    trace: Trace = NO_TRACE
    replay_of: ReplayOf | None = None
    chain: tuple[str, ...] = ()

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
                **({"marks": self.marks} if self.marks else {}),
                **({"undo": [list(pair) for pair in self.undo], "hold": self.hold} if self.undo else {}),
                **({"forked_from": self.forked_from.value()} if self.forked_from else {}),
                **({"trace": self.trace.value()} if self.trace != NO_TRACE else {}),
                **({"replay_of": self.replay_of.value()} if self.replay_of else {}),
                **({"chain": list(self.chain)} if self.chain else {}),
            }
        )

    def following(self, old: ExecutionRecord, kind: str) -> Parameters:
        """The same for an execution that takes the place of an old one, whose trace it goes on with unless it begins anew."""
        return self if kind in WITH_INPUT else replace(self, trace=_trace_after(old))


NOTHING = Parameters()
_OF_REPLAY: Final = {"thread_id", "execution_id", "run_id", "step_id"}


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
        marks=_texts(value.get("marks", {})),
        undo=_pairs(value.get("undo", [])),
        hold=value.get("hold") is True,
        forked_from=_origin(value.get("forked_from")),
        trace=tracing.read(_table(value.get("trace", {}))),
        replay_of=_replay_of(value.get("replay_of")),
        chain=_names(value.get("chain", [])),
    )


def trace_of(execution: ExecutionRecord) -> Trace:
    """Which trace an execution is told of in, as far as its row says."""
    try:
        return parse(execution.parameters).trace
    except (KeyError, ValueError, JsonError):  # that is somebody else's to see
        return NO_TRACE


def _trace_after(old: ExecutionRecord) -> Trace:
    before = trace_of(old)
    return Trace(caller=before.caller, first=before.first or old.id)


def _limits(value: Any) -> Limits | None:
    if value is None:
        return None
    given = _table(value)
    if not all(each is None or (isinstance(each, int | float) and each >= 0) for each in given.values()):
        raise ValueError("not a limit")
    return Limits(**{name: given.get(name) for name in ("max_cost_usd", "max_tokens", "deadline")})


def _origin(value: Any) -> Origin | None:
    if value is None:
        return None
    match _table(value):
        case {"thread_id": str(thread_id), "version": int(version), "variant": str() | None as variant}:
            return Origin(thread_id=thread_id, version=version, variant=variant)
        case _:
            raise ValueError("not the origin of a fork")


def _replay_of(value: Any) -> ReplayOf | None:
    if value is None:
        return None
    match _table(value):
        case {"version": int(version), "item": int() | None as item, **names} if names.keys() == _OF_REPLAY:
            texts = _texts(names)
            return ReplayOf(version=version, item=item, **texts)
        case _:
            raise ValueError("not what a replay does again")


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - it is the text that is wrong
    return cast("dict[str, Any]", value)


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        raise ValueError("not a list of pairs")  # noqa: TRY004 - it is the text that is wrong
    pairs = [_names(pair) for pair in cast("list[Any]", value)]
    return tuple((step, run) for step, run in pairs)


def _texts(value: Any) -> dict[str, str]:
    table = _table(value)
    return dict(zip(table, _names(list(table.values())), strict=True))


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in cast("list[Any]", value)):
        raise ValueError("not a list of names")
    return tuple(cast("list[str]", value))
