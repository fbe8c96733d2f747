"""The parts of a step: the items of a `for_each`, side by side, and the iterations of a `repeat`, one after the other.

What has come of a part is durable by itself (see records.ItemRecord); here is only what its driver must know to go on, and
outputs of items not at all: they are read when all have ended.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext
from app.domain.records import ErrorInfo
from app.domain.retry import EXPRESSION, REPEAT_EXHAUSTED
from app.domain.template import ExpressionError
from app.engine.draft import error_from
from app.engine.outcome import Result

ITEMS: Final = "items "
"""How the row of a `for_each` tells which list its items are of: this, how many, and the list's SHA-256."""

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from app.domain.records import ItemRecord
    from app.domain.spec import StepSpec
    from app.engine.known_parts import KnownParts


@dataclass(slots=True)
class Parts(ABC):
    """What both kinds share.  `known` are parts that had begun before and not ended; `failure` is why the step fails once
    those that run have ended; `gathering`: all have ended, their outputs are being put together; `stale` are those whose rows
    tell of an earlier execution's tries, which do not count any more.
    """

    spec: StepSpec
    known: dict[int, ItemRecord] = field(default_factory=dict[int, "ItemRecord"])
    open: set[int] = field(default_factory=set[int])
    failure: ErrorInfo | None = None
    gathering: bool = False
    stale: list[int] = field(default_factory=list[int])

    @abstractmethod
    def startable(self) -> Iterator[int]:
        """The places of the parts that may begin now; each is open from then on."""

    @abstractmethod
    def sees(self, place: int) -> dict[str, Any]:
        """What a part sees beside the thread's state."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether there is nothing more to do."""

    @property
    @abstractmethod
    def told(self) -> tuple[float, str]:
        """How far it is: a share and a sentence."""

    @abstractmethod
    def completed(self, place: int, result: Result, scope: Mapping[str, Any]) -> None:
        """A part has come to its end; `scope` is the thread's state."""

    def failed(self, place: int, error: ErrorInfo) -> None:
        """A part has failed for good."""
        self.open.discard(place)
        self.failure = self.failure or error


@dataclass(slots=True)
class Items(Parts):
    """The items of a `for_each`; `ended` are the places of those that need no more work."""

    values: list[Any] = field(default_factory=list[Any])
    ended: set[int] = field(default_factory=set[int])
    _next: int = 0

    @classmethod
    def of(cls, spec: StepSpec, values: list[Any], parts: KnownParts, *, fresh: bool) -> Items:
        """With what is known of its items; `fresh`: it begins anew, only those that completed need not be done again."""
        items = cls(spec, values=values)
        items.ended.update(place for place in parts.completed if place < len(values))
        if fresh:
            items.stale = parts.unfinished
            return items
        items.known = {record.item: record for record in parts.open if record.item < len(values)}
        items.failure = _failure(parts.failure)
        assert spec.for_each is not None
        if spec.for_each.collect:
            items.ended.update(place for place in parts.failed if place < len(values))
        return items

    def startable(self) -> Iterator[int]:
        """In the order of the list, as many as may run side by side."""
        assert self.spec.for_each is not None
        while (
            self.failure is None and len(self.open) < self.spec.for_each.concurrency and self._next < len(self.values)
        ):
            place = self._next
            self._next += 1
            if place not in self.ended and place not in self.open:
                self.open.add(place)
                yield place

    def sees(self, place: int) -> dict[str, Any]:
        """The item and its place."""
        return {"item": self.values[place], "index": place}

    @property
    def finished(self) -> bool:
        """Whether all have ended."""
        return len(self.ended) >= len(self.values)

    @property
    def told(self) -> tuple[float, str]:
        """How many have ended."""
        return len(self.ended) / max(1, len(self.values)), f"{len(self.ended)} of {len(self.values)} items"

    def completed(self, place: int, result: Result, scope: Mapping[str, Any]) -> None:  # noqa: ARG002 - as for iterations
        """One more."""
        self.open.discard(place)
        self.ended.add(place)

    def failed(self, place: int, error: ErrorInfo) -> None:
        """It fails the step, or counts as ended."""
        assert self.spec.for_each is not None
        if self.spec.for_each.collect:
            self.open.discard(place)
            self.ended.add(place)
        else:
            Parts.failed(self, place, error)

    def lost(self, places: Iterable[int]) -> None:
        """The outputs of these cannot be used: they are to be done again."""
        self.ended.difference_update(places)
        self._next, self.gathering = 0, False


@dataclass(slots=True)
class Iterations(Parts):
    """The iterations of a `repeat`; `last` is the result of the last one, `done` how many there were, `since` of them before
    the step began anew, which gives it all its iterations again.
    """

    last: Result | None = None
    done: int = 0
    since: int = 0
    satisfied: bool = False

    @classmethod
    def of(cls, spec: StepSpec, parts: KnownParts, *, fresh: bool, since: int = 0) -> Iterations:
        """With what is known of its iterations; `fresh`: it begins anew, else `since` is after how many it last did."""
        laps = cls(spec, done=len(parts.completed))
        laps.since = laps.done if fresh else since
        if parts.last is not None and parts.last.output is not None:
            laps.last = Result(value=jsontext.loads(parts.last.output), text=parts.last.output)
        if fresh:
            laps.stale = parts.unfinished
        else:
            laps.known = {record.item: record for record in parts.open}
            laps.failure = _failure(parts.failure)
        return laps

    def startable(self) -> Iterator[int]:
        """The next one, when none is open."""
        if not self.open and self.failure is None and not self.finished:
            self.open.add(self.done)
            yield self.done

    def sees(self, place: int) -> dict[str, Any]:
        """Its number, and the step itself as its last iteration left it."""
        return {"iteration": place, self.spec.id: self._itself(self.last)}

    @property
    def finished(self) -> bool:
        """Whether the condition holds, or need not any more."""
        assert self.spec.repeat is not None
        return self.satisfied or (self._exhausted and self.spec.repeat.go_on)

    @property
    def told(self) -> tuple[float, str]:
        """How many there were, of how many that may be."""
        assert self.spec.repeat is not None
        most = self.since + self.spec.repeat.max_iterations
        return self.done / most, f"iteration {self.done} of at most {most}"

    def completed(self, place: int, result: Result, scope: Mapping[str, Any]) -> None:
        """See whether that was enough."""
        repeat = self.spec.repeat
        assert repeat is not None
        self.open.discard(place)
        self.last, self.done = result, place + 1
        try:
            self.satisfied = repeat.until.test({**scope, "iteration": place, self.spec.id: self._itself(result)})
        except ExpressionError as error:
            self.failure = ErrorInfo(kind=EXPRESSION, message=f"until: {error}", step_id=self.spec.id)
            return
        if not self.satisfied and self._exhausted and not repeat.go_on:
            message = f"the condition does not hold after {self.done} iterations: {repeat.until.text}"
            self.failure = ErrorInfo(kind=REPEAT_EXHAUSTED, message=message, step_id=self.spec.id)

    @property
    def _exhausted(self) -> bool:
        assert self.spec.repeat is not None
        return self.done - self.since >= self.spec.repeat.max_iterations

    @staticmethod
    def _itself(result: Result | None) -> dict[str, Any]:
        return {"output": result.value if result is not None else None, "status": "running", "error": None}


def _failure(record: ItemRecord | None) -> ErrorInfo | None:
    return None if record is None else error_from(record.error, record.step_id)
