"""What `verify --kill-points` judges by: what was stored when the process died, what there is at the end, and what differs.

Nothing here reads or runs anything.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_SHOWN: Final = 60
_MILESTONES: Final = frozenset(
    {
        "workflow_start", "workflow_complete", "workflow_failed", "workflow_cancelled", "workflow_interrupted",
        "step_start", "step_complete", "step_failed", "step_skipped", "gate_answered", "message_received",
    }
)  # fmt: skip
"""Events of which a crash adds none and takes none; of others (a resumption, a retry, progress) it may."""


class Hopeless(Exception):
    """Nothing can be proven as it was asked; the message is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event as it is stored."""

    seq: int
    name: str
    step: str | None
    text: str


@dataclass(slots=True, kw_only=True)
class Seen:
    """What is stored of a thread and those that it started, at one moment.

    By thread: `versions`, `events`, `executions`.  `ended` has the records of step runs that have ended, by the key of the
    step; `parts` the keys of items and iterations that have.
    """

    status: str | None = None
    head: int = 0
    versions: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    events: dict[str, list[Told]] = field(default_factory=dict[str, list[Told]])
    executions: dict[str, int] = field(default_factory=dict[str, int])
    ended: dict[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    parts: set[str] = field(default_factory=set[str])

    @property
    def event_count(self) -> int:
        """Of all threads."""
        return sum(map(len, self.events.values()))

    @property
    def milestones(self) -> Counter[tuple[str, str | None]]:
        """How often each thing that must happen happened."""
        told = (event for events in self.events.values() for event in events)
        return Counter((event.name, event.step) for event in told if event.name in _MILESTONES)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a run ended: what is stored, and the document that is compared."""

    seen: Seen
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What undisturbed runs came to, the first and some others; `skip` are the paths at which nothing is compared."""

    end: End
    others: Sequence[End]
    skip: Sequence[str] = ()

    @property
    def varying(self) -> list[str]:
        """Where undisturbed runs differ from the first."""
        found = (differences(self.end.document, other.document) for other in self.others)
        return sorted({path for each in found for path, _, _ in each})


def plain(value: Any, thread: str) -> Any:
    """A JSON value in which the ids of this run, and all times, stand as what they are: two runs can be compared then."""
    if isinstance(value, str):
        return _TIME.sub("{time}", _UUID.sub("{uuid}", value.replace(thread, "{thread}")))
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return {plain(name, thread): plain(each, thread) for name, each in found.items()}
    if isinstance(value, list):
        return [plain(each, thread) for each in cast("list[Any]", value)]
    return value


def differences(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two JSON values differ: JSON pointers to the smallest parts, with both; 1, 1.0 and true are three values."""
    a, b = _parts(one), _parts(other)
    alike = type(cast("object", one)) is type(cast("object", other))
    if a is None or b is None or not alike or (isinstance(one, list) and len(a) != len(b)):
        if not alike or one != other:
            yield path, one, other
        return
    for name in sorted(a.keys() | b.keys(), key=str):
        place = f"{path}/{str(name).replace('~', '~0').replace('/', '~1')}"
        if name in a and name in b:
            yield from differences(a[name], b[name], place)
        else:
            yield place, a.get(name, "(nothing)"), b.get(name, "(nothing)")


def _parts(value: Any) -> dict[str | int, Any] | None:
    """The parts of an object or a list by their names or places."""
    if isinstance(value, dict):
        return cast("dict[str | int, Any]", value)
    return dict(enumerate(cast("list[Any]", value))) if isinstance(value, list) else None


def is_under(path: str, skipped: Iterable[str]) -> bool:
    """Whether a pointer is one of these or below one; `*` stands for any one part."""
    parts = path.split("/")
    return any(
        len(parts) >= len(given) and all(a in ("*", b) for a, b in zip(given, parts, strict=False))
        for given in (each.split("/") for each in skipped)
    )


def faults(measure: Measure, cut: Seen, end: End, attempts: Iterable[str]) -> list[str]:
    """What is wrong with a run that was cut; `attempts` are the keys under which steps were tried after that."""
    return [
        *_changed_state(measure, end),
        *_gaps(end.seen),
        *_lost(cut, end.seen),
        *_miscounted(measure, end.seen),
        *(f"{key} had been committed and ran again" for key in ran_again(cut, attempts)),
    ]


def ran_again(cut: Seen, attempts: Iterable[str]) -> list[str]:
    """The steps, and parts of steps, that were tried although they had ended before."""
    found: dict[str, None] = {}
    for key in attempts:
        whole = key.rpartition(":")[0]
        if key in cut.ended or key in cut.parts or whole in cut.ended:
            found[_UUID.sub("", key.partition(":")[2]).lstrip(":") or key] = None
    return list(found)


def _changed_state(measure: Measure, end: End) -> Iterator[str]:
    found = list(differences(measure.end.document, end.document))
    skipped = [*measure.skip, *measure.varying] if found else []
    for path, wanted, got in found:
        if not is_under(path, skipped):
            yield f"the end state differs at {path or '/'}: {_short(got)} instead of {_short(wanted)}"


def _gaps(seen: Seen) -> Iterator[str]:
    for thread, versions in seen.versions.items():
        if versions != list(range(1, len(versions) + 1)):
            yield f"the versions of {thread} do not run 1, 2, 3 ... without a gap: {_short(versions)}"
    for thread, events in seen.events.items():
        numbers = [event.seq for event in events]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"the events of {thread} do not run 1, 2, 3 ... without a gap: {_short(numbers)}"
    for thread, count in seen.executions.items():
        if count != 1:
            yield f"{thread} has {count} executions: it was started more than once"


def _lost(cut: Seen, end: Seen) -> Iterator[str]:
    """What was stored when the process died must be there, unchanged."""
    for thread, events in cut.events.items():
        if end.events.get(thread, [])[: len(events)] != events:
            yield f"events of {thread} that had been written are lost or changed"
    for thread, versions in cut.versions.items():
        if end.versions.get(thread, [])[: len(versions)] != versions:
            yield f"versions of {thread} that had been written are lost"
    for key, record in cut.ended.items():
        if end.ended.get(key) != record:
            yield f"the record of {key} had been committed and is another now"
    if cut.parts - end.parts:
        yield f"items that had been committed are lost: {_short(sorted(cut.parts - end.parts))}"


def _miscounted(measure: Measure, end: Seen) -> Iterator[str]:
    wanted, got = measure.end.seen.milestones, end.milestones
    others = [other.seen.milestones for other in measure.others]
    for name, step in sorted(wanted | got, key=str):
        count = wanted[name, step]
        if got[name, step] != count and all(other[name, step] == count for other in others):
            place = f" of {step}" if step else ""
            yield f"{got[name, step]} events {name}{place} instead of {count}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
