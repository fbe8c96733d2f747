"""`verify --kill-points`: runs a workflow twice undisturbed, then once with a kill at each commit, and judges each run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
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


@dataclass(slots=True, kw_only=True)
class Report:
    """All of it."""

    measure: Measure
    points: list[Point]
    verdicts: list[Verdict] = field(default_factory=list[Verdict])

    @property
    def proven(self) -> bool:
        """Whether every run that was killed came to the same end, and at least one was."""
        return any(one.reached for one in self.verdicts) and not any(one.faults for one in self.verdicts)


async def verify(
    house: House, *, at: At, only: Collection[int], skip: Sequence[str], tell: Callable[[str], None]
) -> Report:
    """Run and judge.  Raises Hopeless where nothing can be proven, ServerError, ApiError."""
    report = await _measured(house, at, skip, tell)
    points = [point for point in report.points if not only or point.place in only]
    if not points:
        raise Hopeless(f"there are the points 1 to {len(report.points)}")
    cut: Cut | None = None
    for number, point in enumerate([*points, None]):
        if point is None:
            await house.restart()
        else:
            tell(f"kill {number + 1} of {len(points)}: {point.moment} {point.what}")
            thread = f"{house.name}-{point.place:04}"
            await house.restart(thread, at=at, number=point.number, moment=point.moment)
        if cut is not None:
            report.verdicts.append(await _finish(house, report.measure, cut))
        if point is not None:
            cut = await _cut(house, point, f"{house.name}-{point.place:04}")
            if cut is None:
                report.verdicts.append(Verdict(point=point, faults=[], reached=False))
    return report


async def _measured(house: House, at: At, skip: Sequence[str], tell: Callable[[str], None]) -> Report:
    """Two undisturbed runs, each in a process of its own, and the points that follow from the first."""
    ends: list[End] = []
    points: list[Point] = []
    for number in (1, 2):
        tell(f"undisturbed run {number} of 2")
        thread = f"{house.name}-u{number:03}"
        await house.restart(thread)
        await house.start_or_borrow(thread)
        ends.append(await house.ended(thread))
        points = points or list(_points(house.noted(), at, thread))
    statuses = [str(end.document["status"]) for end in ends]
    if statuses[0] != statuses[1]:
        raise Hopeless(f"two undisturbed runs do not end alike ({' and '.join(statuses)}): nothing can be proven")
    return Report(measure=Measure(end=ends[0], other=ends[1], skip=skip), points=points)


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


async def _finish(house: House, measure: Measure, cut: Cut) -> Verdict:
    if not cut.answered:  # whoever got no answer asks again, under the same Idempotency-Key
        await house.start(cut.thread)
    await house.goes_on(cut.thread, cut.epoch)
    recovery = time.monotonic() - cut.at
    end = await house.ended(cut.thread)
    tried = [one["key"] for one in house.noted()[cut.noted :] if one["what"] == "attempt"]
    mine = [key for key in tried if any(key.startswith(f"{thread}:") for thread in end.seen.versions)]
    return Verdict(
        point=cut.point,
        faults=faults(measure, cut.seen, end, mine),
        kept=len(cut.seen.ended),
        ran_again=len(ran_again(cut.seen, mine)),
        versions=sum(map(len, end.seen.versions.values())),
        events=end.seen.event_count,
        recovery=recovery,
    )
