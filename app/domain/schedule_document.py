"""What a schedule says, as JSON: read with every fault found, written for the store, and its templates filled in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext, timing
from app.domain.errors import InvalidSchedule, Problem
from app.domain.schedules import CATCHUP, Overlap, Plan
from app.domain.template import Holes, Template, escape
from app.domain.timing import LEAST_INTERVAL, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.domain.schedules import Firing, Schedule

MAX_BYTES: Final = 256_000
"""Of a schedule as JSON: it is read whenever it fires."""
NAMES: Final = frozenset({"name", "id", "kind", "fire_time", "previous_fire_time", "due_at"})
"""What templates find in `schedule`."""


def plan_of(value: Mapping[str, Any]) -> Plan:
    """The plan in a document of the fields of `document`, whose types have been checked.  Raises InvalidSchedule."""
    problems = [*_when(value), *_templates(value)]
    if not problems and len(jsontext.dumps(value)) > MAX_BYTES:
        problems.append(Problem("/input", f"the schedule is larger than {MAX_BYTES:,} bytes"))
    if problems:
        raise InvalidSchedule(problems)
    return parse(value)


def parse(value: Mapping[str, Any]) -> Plan:
    """The plan in a document that was found right."""
    told = Timing(
        cron=value.get("cron"),
        every=value.get("every"),
        timezone=value.get("timezone") or "UTC",
        start_at=_time(value.get("start_at")),
        end_at=_time(value.get("end_at")),
        jitter=value.get("jitter") or 0.0,
    )
    window = value.get("catchup_window")
    return Plan(
        timing=told,
        workflow=value["workflow"],
        input=value.get("input"),
        has_input="input" in value,
        context=value.get("context") or {},
        queue=value.get("queue"),
        priority=value.get("priority"),
        overlap=Overlap(value.get("overlap") or Overlap.SKIP),
        catchup_window=CATCHUP if window is None else window,
        max_firings=value.get("max_firings"),
        description=value.get("description"),
    )


def document(plan: Plan) -> dict[str, Any]:
    """The document of a plan; what is as usual is left out."""
    told = plan.timing
    value: dict[str, Any] = {
        "cron": told.cron,
        "every": told.every,
        "timezone": None if told.timezone == "UTC" else told.timezone,
        "start_at": None if told.start_at is None else told.start_at.isoformat(),
        "end_at": None if told.end_at is None else told.end_at.isoformat(),
        "jitter": told.jitter or None,
        "workflow": plan.workflow,
        "context": dict(plan.context) or None,
        "queue": plan.queue,
        "priority": plan.priority,
        "overlap": None if plan.overlap is Overlap.SKIP else plan.overlap.value,
        "catchup_window": None if plan.catchup_window == CATCHUP else plan.catchup_window,
        "max_firings": plan.max_firings,
        "description": plan.description,
    }
    kept = {name: each for name, each in value.items() if each is not None}
    return {**kept, "input": plan.input} if plan.has_input else kept


@dataclass(frozen=True, slots=True)
class Given:
    """What a firing gives to its thread."""

    input: Any
    context: dict[str, Any]


def given(schedule: Schedule, firing: Firing) -> Given:
    """Input and context of a firing.  Raises ExpressionError."""
    plan = schedule.plan
    scope = {"schedule": _scope(schedule, firing)}
    holes = Holes()
    return Given(
        Template.compile(plan.input, "/input", holes).render(scope),
        Template.compile(dict(plan.context), "/context", holes).render(scope),
    )


def _scope(schedule: Schedule, firing: Firing) -> dict[str, Any]:
    before = schedule.plan.timing.before(firing.fire_time)
    return {
        "name": schedule.name,
        "id": schedule.id,
        "kind": firing.kind.value,
        "fire_time": _text(firing.fire_time),
        "previous_fire_time": None if before is None else _text(before),
        "due_at": _text(firing.due_at),
    }


def _text(at: datetime) -> str:
    """RFC 3339 in UTC, as exact as it is."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _when(value: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with its times."""
    cron, every = value.get("cron"), value.get("every")
    zone, problems = value.get("timezone"), list[Problem]()
    if (cron is None) == (every is None):
        problems.append(Problem("/cron", "one of cron and every says when it fires"))
    if cron is not None:
        problems += _tried(timing.check_cron, cron, "/cron")
    if every is not None and every < LEAST_INTERVAL:
        problems.append(Problem("/every", f"should be {LEAST_INTERVAL:g} s at least"))
    if every is not None and zone is not None:
        problems.append(Problem("/timezone", "goes with cron: an interval is the same in every zone"))
    if zone is not None:
        problems += _tried(timing.check_zone, zone, "/timezone")
    return problems or _range(value)


def _range(value: Mapping[str, Any]) -> list[Problem]:
    start_at, end_at = _time(value.get("start_at")), _time(value.get("end_at"))
    for name, at in (("start_at", start_at), ("end_at", end_at)):
        if at is not None and not timing.EPOCH <= at <= timing.LATEST:
            return [Problem(f"/{name}", "should be between 1970 and 9000")]
    if start_at is not None and end_at is not None and end_at < start_at:
        return [Problem("/end_at", "lies before start_at")]
    return []


def _tried(check: Callable[[str], None], text: str, pointer: str) -> list[Problem]:
    try:
        check(text)
    except ValueError as error:
        return [Problem(pointer, str(error))]
    return []


def _templates(value: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with input and context: they may use what `schedule` has, and nothing else."""
    holes, problems = Holes(), list[Problem]()
    for name in ("input", "context"):
        template, found = Template.check(value.get(name), f"/{name}", holes)
        problems += found
        for reference, place in sorted(template.places.items()):
            if reference != "schedule":
                problems.append(Problem(place, f"there is no {escape(reference)!r} here: only `schedule`"))
        unknown = {path[1] for path in template.paths if path[0] == "schedule" and len(path) > 1} - NAMES
        if unknown:
            told = f"`schedule` has no {min(unknown)!r}: it has {', '.join(sorted(NAMES))}"
            problems.append(Problem(template.places["schedule"], told))
    return problems
