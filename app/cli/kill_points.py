"""`verify --kill-points`: runs a workflow twice undisturbed, then once with a kill at each commit, and judges each run."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from app.cli.kill_verdict import Hopeless, Measure, Seen, faults, ran_again
from app.cli.kill_witness import look

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from app.cli.kill_house import House
    from app.cli.kill_verdict import End

At = Literal["boundaries", "commits"]
Moment = Literal["before", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One kill: `place` is its row in the table, `number` what the kill point counts to, `what` is said of the commit."""

    place: int
    number: int
    moment: Moment
    what: str


@dataclass(slots=True, kw_only=True)
class Cut:
    """A run whose process died: what was stored then, and how far the ledger went."""

    point: Point
    thread: str
    at: float
    seen: Seen
    epoch: int
    noted: int
    answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A run that was cut and went on to its end; `attempts` are the keys under which steps were tried after the cut."""

    cut: Cut
    end: End
    attempts: list[str]
    recovery: float

    def judged(self, measure: Measure) -> Verdict:
        """What is to be said of it."""
        return Verdict(
            point=self.cut.point,
            faults=faults(measure, self.cut.seen, self.end, self.attempts),
            kept=len(self.cut.seen.ended),
            ran_again=len(ran_again(self.cut.seen, self.attempts)),
            versions=sum(map(len, self.end.seen.versions.values())),
            events=self.end.seen.event_count,
            recovery=self.recovery,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one run; `reached` is False where the thread ended without that commit (and was not killed)."""

    point: Point
    faults: list[str]
    reached: bool = True
    kept: int = 0
    ran_again: int = 0
    versions: int = 0
    events: int = 0
    recovery: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of it."""

    measure: Measure
    verdicts: list[Verdict]

    @property
    def proven(self) -> bool:
        """Whether every run that was killed came to the same end, and at least one was."""
        return any(one.reached for one in self.verdicts) and not any(one.faults for one in self.verdicts)


async def verify(
    house: House, *, at: At, only: Collection[int], skip: Sequence[str], tell: Callable[[str], None]
) -> Report:
    """Run and judge.  Raises Hopeless where nothing can be proven, ServerError, ApiError."""
    tell("undisturbed run 1 of 2")
    first = await _undisturbed(house, 1)
    points = list(_points(house.noted(), at, _name(house, "u", 1)))
    tell("undisturbed run 2 of 2")
    measure = Measure(end=first, others=[await _undisturbed(house, 2)], skip=skip)
    _alike(measure)
    chosen = [point for point in points if not only or point.place in only]
    if not chosen:
        raise Hopeless(f"there are the points 1 to {len(points)}")
    survivors = await _killed(house, at, chosen, tell)
    if any(one.faults for one in _judged(measure, chosen, survivors)):
        # What it reads may have changed since the first runs: then those that were cut are not to blame.
        tell("undisturbed run 3, since runs differ")
        measure = replace(measure, others=[*measure.others, await _undisturbed(house, 3)])
        _alike(measure)
    return Report(measure=measure, verdicts=list(_judged(measure, chosen, survivors)))


def _name(house: House, kind: str, number: int) -> str:
    """Of a thread; all are of one length, so that a result which tells the length of its own text stays the same."""
    return f"{house.name}-{kind}{number:04}"


async def _undisturbed(house: House, number: int) -> End:
    """A run in a process that has done nothing else."""
    thread = _name(house, "u", number)
    await house.restart(thread)
    await house.start_or_borrow(thread)
    return await house.ended(thread)


def _alike(measure: Measure) -> None:
    statuses = sorted({str(end.document["status"]) for end in (measure.end, *measure.others)})
    if len(statuses) > 1:
        raise Hopeless(f"undisturbed runs do not end alike ({' and '.join(statuses)}): nothing can be proven")


async def _killed(house: House, at: At, points: Sequence[Point], tell: Callable[[str], None]) -> dict[Point, Survivor]:
    """One run for each point; a process goes on with the thread of the last one and is killed in its own."""
    survivors: dict[Point, Survivor] = {}
    cut: Cut | None = None
    for number, point in enumerate(points):
        tell(f"kill {number + 1} of {len(points)}: {point.moment} {point.what}")
        thread = _name(house, "k", point.place)
        await house.restart(thread, at=at, number=point.number, moment=point.moment)
        if cut is not None:
            survivors[cut.point] = await _finished(house, cut)
        cut = await _cut(house, point, thread)
    await house.restart()
    if cut is not None:
        survivors[cut.point] = await _finished(house, cut)
    return survivors


def _judged(measure: Measure, points: Sequence[Point], survivors: dict[Point, Survivor]) -> Iterator[Verdict]:
    for point in points:
        survivor = survivors.get(point)
        yield Verdict(point=point, faults=[], reached=False) if survivor is None else survivor.judged(measure)


def _points(noted: list[dict[str, Any]], at: At, thread: str) -> Iterator[Point]:
    """Before and after each commit that holds versions, or each commit; a commit of several versions is one place."""
    number = place = 0
    for one in noted:
        if one["what"] != "commit":
            continue
        held = one["versions"] if at == "boundaries" else [one]
        first, number = number + 1, number + len(held)
        if not held:
            continue
        what = _of_versions(held) if at == "boundaries" else _of_commit(first, one)
        if one["thread"] != thread:
            what += f" of {one['workflow'] or one['thread']}"
        for moment in ("before", "after"):
            place += 1
            yield Point(place=place, number=first, moment=moment, what=what)


def _of_versions(held: list[dict[str, Any]]) -> str:
    return ", ".join(f"version {one['version']} ({one['step']})" for one in held)


def _of_commit(number: int, one: dict[str, Any]) -> str:
    return f"commit {number} ({', '.join(one['events']) or 'no event'})"


async def _cut(house: House, point: Point, thread: str) -> Cut | None:
    answered = await house.start(thread)
    if not await house.died(thread):
        return None
    at = time.monotonic()
    found = await house.reads.thread(thread)
    return Cut(
        point=point,
        thread=thread,
        at=at,
        seen=await look(house.reads, thread),
        epoch=0 if found is None else found.epoch,
        noted=len(house.noted()),
        answered=answered,
    )


async def _finished(house: House, cut: Cut) -> Survivor:
    if not cut.answered:  # whoever got no answer asks again, under the same Idempotency-Key
        await house.start(cut.thread)
    await house.goes_on(cut.thread, cut.epoch)
    recovery = time.monotonic() - cut.at
    end = await house.ended(cut.thread)
    tried = [one["key"] for one in house.noted()[cut.noted :] if one["what"] == "attempt"]
    mine = [key for key in tried if any(key.startswith(f"{thread}:") for thread in end.seen.versions)]
    return Survivor(cut=cut, end=end, attempts=mine, recovery=recovery)
