"""Circuit breakers: one for each agent, so that one which fails every time is left alone for a while and then tried once.

A breaker is closed (everything goes through), open (nothing does), or half open (one probe over all processes decides).
Everything here is pure: a `Move` looks at a record and the store's time and gives the record that follows, or None.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from app.domain import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.domain.records import ErrorInfo

_DOUBLINGS: Final = 10
"""How often the number of attempts let in doubles while a breaker that has closed lets more and more through."""
_LONGEST: Final = 10.0
"""A breaker stays open for at most so many times its first span."""
_REASON: Final = 500
DISABLED: Final = "disabled: "
"""What the reason of a breaker begins with that opened for good."""
_SOON: Final = 0.25
"""Seconds after which whoever waits for room behind a breaker that has closed looks again at the earliest."""


class BreakerState(StrEnum):
    """Whether attempts go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """`failures` in a row open a breaker for `open_seconds`, twice as long each time its probe fails; after it has closed
    it lets in more and more over `ramp_seconds`.  A probe whose process gives no sign of life for `probe_seconds` is
    given up.  After `disable_after` probes in a row have failed it stays open until somebody closes it (0: never).
    """

    failures: int = 5
    open_seconds: float = 30.0
    ramp_seconds: float = 10.0
    probe_seconds: float = 15.0
    disable_after: int = 0

    def span(self, trips: int) -> timedelta:
        """How long a breaker stays open that has opened `trips` times in a row."""
        doubled = 2.0 ** min(max(trips, 1) - 1, 10)
        return timedelta(seconds=self.open_seconds * min(doubled, _LONGEST))

    def ramp(self, elapsed: float) -> int | None:
        """How many attempts may be under way `elapsed` seconds after a breaker has closed; None: as many as there are."""
        if elapsed >= self.ramp_seconds:
            return None
        return int(2 ** (_DOUBLINGS * max(0.0, elapsed) / self.ramp_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRecord:
    """A breaker as it is stored; an agent without one is closed.  All times are the store's.

    `probe_at`: when an open one may be probed (None: not before somebody closes it); of a half-open one, until when its
    probe, `probe_by`, is waited for.  `trips`: how often it has opened in a row.  `rev` rises with every change.
    """

    agent: str
    tenant: str = "default"
    state: BreakerState = BreakerState.CLOSED
    forced: bool = False
    reason: str | None = None
    trips: int = 0
    rev: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    probe_by: str | None = field(default=None, repr=False)
    closed_at: datetime | None = None
    changed_at: datetime | None = None

    @property
    def closed(self) -> bool:
        """Whether attempts go through."""
        return self.state is BreakerState.CLOSED

    @property
    def disabled(self) -> bool:
        """Whether its agent is disabled: it is open, and nothing but a hand closes it."""
        return self.state is BreakerState.OPEN and self.probe_at is None

    def may_be_probed(self, now: datetime) -> bool:
        """Whether somebody may try the agent now: the time has come, or the probe before was given up."""
        return not self.closed and self.probe_at is not None and self.probe_at <= now

    def look_again(self, policy: BreakerPolicy, now: datetime, random: float) -> float:
        """After how many seconds a step that is not let in should ask again; `random`, from [0, 1), spreads many of them.

        No later than the breaker's first span however long it is open, since somebody may close it by hand.
        """
        if self.closed:
            left = policy.ramp_seconds - _since(self.closed_at, now)
            return _SOON + max(0.0, left) / 4 * random
        if self.state is BreakerState.HALF_OPEN:  # the longer the probe takes, the more seldom
            wait = max(min(1.0, policy.open_seconds), _since(self.changed_at, now))
        else:
            wait = policy.open_seconds if self.probe_at is None else max(0.0, -_since(self.probe_at, now))
        wait = max(_SOON, min(wait, policy.open_seconds))
        return wait + wait / 4 * random


if TYPE_CHECKING:
    Move = Callable[[BreakerRecord, datetime], BreakerRecord | None]
    """The record that follows at a time, None when there is nothing to do."""


def trip(policy: BreakerPolicy, reason: str) -> Move:
    """Too many failures in a row: a closed one opens."""

    def move(record: BreakerRecord, now: datetime) -> BreakerRecord | None:
        return _opened(record, now, policy, reason) if record.closed else None

    return move


def take_probe(policy: BreakerPolicy, token: str) -> Move:
    """Become the one that tries; whoever gets a record back is it."""

    def move(record: BreakerRecord, now: datetime) -> BreakerRecord | None:
        if not record.may_be_probed(now):
            return None
        until = now + timedelta(seconds=policy.probe_seconds)
        taken = {"forced": False, "probe_at": until, "probe_by": token}
        return _changed(record, now, state=BreakerState.HALF_OPEN, **taken)

    return move


def renew_probe(policy: BreakerPolicy, token: str) -> Move:
    """The probe is still under way."""

    def move(record: BreakerRecord, now: datetime) -> BreakerRecord | None:
        if not _probes(record, token):
            return None
        until = now + timedelta(seconds=policy.probe_seconds)
        return replace(record, rev=record.rev + 1, probe_at=until)

    return move


def settle_probe(policy: BreakerPolicy, token: str, failure: str | None) -> Move:
    """The probe has ended: well (`failure` None), which closes the breaker, or not, which opens it for longer."""

    def move(record: BreakerRecord, now: datetime) -> BreakerRecord | None:
        if not _probes(record, token):
            return None
        return _closed(record, now) if failure is None else _opened(record, now, policy, failure)

    return move


def release_probe(token: str) -> Move:
    """The probe was cancelled and says nothing: the next may try at once."""

    def move(record: BreakerRecord, now: datetime) -> BreakerRecord | None:
        if not _probes(record, token):
            return None
        return _changed(record, now, state=BreakerState.OPEN, probe_at=now, probe_by=None)

    return move


def force_open(reason: str | None, seconds: float | None) -> Move:
    """Somebody opens it by hand: until it is closed by hand, or to be probed after so many seconds."""

    def move(record: BreakerRecord, now: datetime) -> BreakerRecord:
        until = None if seconds is None else now + timedelta(seconds=seconds)
        opened = {"state": BreakerState.OPEN, "forced": True, "reason": reason, "opened_at": now}
        return _changed(record, now, **opened, probe_at=until, probe_by=None)

    return move


def force_close() -> Move:
    """Somebody closes it by hand."""

    def move(record: BreakerRecord, now: datetime) -> BreakerRecord | None:
        return None if record.closed else _closed(record, now)

    return move


def told(failures: int, error: ErrorInfo) -> str:
    """Why a breaker opened, as text that any database takes."""
    count = "the probe failed" if failures == 0 else f"{failures} failures in a row"
    text = f"{count}: {error.kind}: {error.message}"
    return jsontext.clean(text).replace("\0", "\N{REPLACEMENT CHARACTER}")[:_REASON]


def _since(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else (now - at).total_seconds()


def _probes(record: BreakerRecord, token: str) -> bool:
    return record.state is BreakerState.HALF_OPEN and record.probe_by == token


def _opened(record: BreakerRecord, now: datetime, policy: BreakerPolicy, reason: str) -> BreakerRecord:
    trips = record.trips + 1
    opened = {"state": BreakerState.OPEN, "forced": False, "trips": trips, "opened_at": now, "probe_by": None}
    if 0 < policy.disable_after < trips:
        reason = f"{DISABLED}{trips - 1} probes in a row failed, the last so: {reason}"[:_REASON]
        return _changed(record, now, **opened, reason=reason, probe_at=None)
    return _changed(record, now, **opened, reason=reason, probe_at=now + policy.span(trips))


def _closed(record: BreakerRecord, now: datetime) -> BreakerRecord:
    closed = {"state": BreakerState.CLOSED, "forced": False, "reason": None, "trips": 0, "opened_at": None}
    return _changed(record, now, **closed, probe_at=None, probe_by=None, closed_at=now)


def _changed(record: BreakerRecord, now: datetime, **fields: object) -> BreakerRecord:
    return replace(record, rev=record.rev + 1, changed_at=now, **fields)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerTable:
    """All stored breakers, and the store's time when they were read."""

    now: datetime
    records: list[BreakerRecord]


class BreakerStore(Protocol):
    """The stored breakers; all raise Unavailable while the store is away."""

    async def load(self) -> BreakerTable:
        """All of them."""
        ...

    async def change(self, agent: str, move: Move) -> tuple[BreakerRecord, bool]:
        """Look at a breaker (a new one is closed), move it, write that unless another has written since, else look again.

        The breaker as it is then, and whether this call has written it.  Of those that take one probe at once, over all
        processes, one has.
        """
        ...
