"""The circuit breakers as attempts meet them: let in, sent away for a while, or let in as the one probe that decides.

Attempts look at this process's own copy and never wait, but for the one that takes a probe.  What they change goes into
the copy at once and into the store by `run`, which also brings in what other processes have changed.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from app.domain import breakers as domain
from app.domain.breakers import BreakerPolicy, BreakerRecord
from app.domain.errors import Unavailable
from app.domain.ids import uuid7
from app.domain.runner import Asleep
from app.domain.times import utc_now
from app.engine.breaker_gate import Gate, Ticket
from app.engine.breaker_store import PatientStore
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from app.domain.breakers import BreakerStore, BreakerTable, Move
    from app.domain.records import ErrorInfo
    from app.engine.openstep import OpenStep
    from app.engine.step import Ending

REFRESH_EVERY: Final = 2.0
"""Seconds between two looks at the store."""
_LAST: Final = 2.0
"""Seconds in which the last changes are to be written when the process ends."""
_log = logging.getLogger(__name__)


class Breakers:
    """One for the process.  `clock` in seconds, never going back; `random` gives 0 <= x < 1."""

    def __init__(
        self, store: BreakerStore, policy: BreakerPolicy, *, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self._store = PatientStore(store)
        self.policy = policy
        self._clock = clock
        self._random = random
        self.changed: Callable[[], Awaitable[None]] = _tell_nobody
        """Called after this process has changed a stored breaker, so that others may be told."""
        self.outcomes: Callable[[str, Ending, float], None] = lambda _agent, _ending, _seconds: None
        self._records: dict[str, BreakerRecord] = {}
        self._gates: dict[str, Gate] = {}
        self._inside: set[Ticket] = set()
        self._outbox: list[tuple[str, Move]] = []
        self._zero = utc_now() - timedelta(seconds=clock())
        self._wake = asyncio.Event()
        self._dirty = False
        self._away = False
        self.pulse = Pulse(REFRESH_EVERY)

    # ---- for attempts
    async def admit(self, agent: str, step: OpenStep) -> Ticket | Asleep:
        """A ticket for an attempt of `step` by `agent`, or how long it is to be put off.

        Only an attempt that may take a probe waits for the store.
        """
        gate = self._gates.get(agent)
        token = None
        if gate is not None and not gate.free(self.policy, self.now()):
            unsettled = gate.taking or any(agent == each for each, _ in self._outbox)
            if unsettled or not gate.record.may_be_probed(self.now()):
                return self._later(gate)
            token = await self._take_probe(agent, gate)
            if token is None:
                return self._later(gate)
        ticket = Ticket(self, agent, step, token, self._clock())
        self._inside.add(ticket)
        if gate is not None:
            gate.inside.add(ticket)
        return ticket

    def succeeded(self, ticket: Ticket) -> None:
        """The attempt shows that its agent works."""
        gate = self._left(ticket)
        if ticket.token is not None:
            self._send(ticket.agent, domain.settle_probe(self.policy, ticket.token, None))
        elif gate is not None:
            gate.failures = 0

    def failed(self, ticket: Ticket, error: ErrorInfo) -> None:
        """The attempt failed in a way that speaks against its agent."""
        gate = self._left(ticket)
        agent, policy = ticket.agent, self.policy
        if ticket.token is not None:
            self._send(agent, domain.settle_probe(policy, ticket.token, domain.told(0, error)))
            return
        if gate is None:
            gate = self._gates[agent] = Gate(self._records.get(agent) or BreakerRecord(agent=agent))
        if gate.record.closed and not self._is_of_before(ticket, gate.record):
            gate.failures += 1
            if gate.failures >= policy.failures:
                self._send(agent, domain.trip(policy, domain.told(gate.failures, error)))

    def released(self, ticket: Ticket) -> None:
        """The attempt has ended in a way that says nothing of its agent."""
        self._left(ticket)
        if ticket.token is not None:
            self._send(ticket.agent, domain.release_probe(ticket.token))

    # ---- for people
    def listed(self) -> list[BreakerRecord]:
        """The breakers that this process knows of, by agent."""
        return [self._records[agent] for agent in sorted(self._records)]

    def find(self, agent: str) -> BreakerRecord | None:
        """The breaker of an agent, None if it has never been anything but closed."""
        return self._records.get(agent)

    async def open(self, agent: str, reason: str | None, seconds: float | None) -> BreakerRecord:
        """Open it by hand: for so many seconds, or until it is closed by hand.  Raises Unavailable."""
        record = await self._by_hand(agent, domain.force_open(reason, seconds))
        _log.warning("the breaker of agent %s was opened by hand: %s", agent, reason)
        return record

    async def close(self, agent: str) -> BreakerRecord:
        """Close it by hand.  Raises Unavailable."""
        record = await self._by_hand(agent, domain.force_close())
        _log.info("the breaker of agent %s was closed by hand", agent)
        return record

    # ---- the copy and the store
    async def run(self) -> None:
        """Write what changes here and read what changes elsewhere, until cancelled."""
        try:
            while True:
                self._wake.clear()
                self.pulse.beat()
                await self._turn()
                try:
                    async with asyncio.timeout(REFRESH_EVERY):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            if self._outbox:
                try:
                    async with asyncio.timeout(_LAST):
                        await self._flush()
                except (Unavailable, TimeoutError) as error:
                    _log.warning("changes of circuit breakers were not written: %s", error)

    async def refresh(self) -> None:
        """Read the store; the copy stays as it is while the store is away."""
        before = dict(self._records)
        try:
            table = await self._store.load()
        except Unavailable as error:
            self._lost(error)
            return
        self._away = False
        self._take_over(table, before)

    def hint(self) -> None:
        """Another process may have changed something: look soon."""
        self._wake.set()

    def now(self) -> datetime:
        """The store's time, by this process's clock."""
        return self._zero + timedelta(seconds=self._clock())

    async def _take_probe(self, agent: str, gate: Gate) -> str | None:
        token, gate.taking = uuid7(), True
        try:
            record, won = await self._store.change(agent, domain.take_probe(self.policy, token))
        except Unavailable as error:  # if it was taken after all, it is given up in a while
            self._lost(error)
            return None
        except asyncio.CancelledError:
            self._send(agent, domain.release_probe(token))
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with the store spends no attempt
            _log.exception("the probe of agent %s could not be taken", agent)
            self._away = True
            return None
        finally:
            gate.taking = False
        self._install(record)
        self._dirty = self._dirty or won
        self._wake.set()
        return token if won else None

    def _later(self, gate: Gate) -> Asleep:
        now, random = self.now(), self._random()
        wait = gate.record.look_again(self.policy, now, random)
        if self._away and gate.record.may_be_probed(now):
            wait = max(wait, REFRESH_EVERY * (1 + random / 4))
        return Asleep(seconds=wait)

    def _is_of_before(self, ticket: Ticket, record: BreakerRecord) -> bool:
        """Whether an attempt began before the breaker closed: it may be one of those for which it had opened."""
        return record.closed_at is not None and self._zero + timedelta(seconds=ticket.since) < record.closed_at

    def _left(self, ticket: Ticket) -> Gate | None:
        self._inside.discard(ticket)
        gate = self._gates.get(ticket.agent)
        if gate is not None:
            gate.inside.discard(ticket)
        return gate

    def _send(self, agent: str, move: Move) -> None:
        """Change the copy at once and the store soon."""
        before = self._records.get(agent) or BreakerRecord(agent=agent)
        after = move(before, self.now())
        if after is not None:
            self._install(after)
            if after.state is domain.BreakerState.OPEN and after.reason != before.reason:
                _log.warning("the breaker of agent %s opens: %s", agent, after.reason)
            elif after.closed:
                _log.info("the breaker of agent %s closes: its probe succeeded", agent)
        self._outbox.append((agent, move))
        self._wake.set()

    async def _by_hand(self, agent: str, move: Move) -> BreakerRecord:
        record, written = await self._store.unhurried.change(agent, move)
        self._outbox = [each for each in self._outbox if each[0] != agent]
        self._install(record)
        self._dirty = self._dirty or written
        self._wake.set()
        return record

    async def _turn(self) -> None:
        try:
            await self._flush()
            await self._look_after_attempts()
            await self.refresh()
            if self._dirty:
                self._dirty = False
                await self.changed()
        except Unavailable as error:
            self._lost(error)
        except Exception:  # noqa: BLE001 - breakers must not take the service down
            _log.exception("the circuit breakers could not be brought up to date")

    async def _flush(self) -> None:
        while self._outbox:
            entry = self._outbox[0]
            agent, move = entry
            record, written = await self._store.change(agent, move)
            if entry in self._outbox:
                self._outbox.remove(entry)
            self._dirty = self._dirty or written
            if all(agent != each for each, _ in self._outbox):
                self._install(record)

    async def _look_after_attempts(self) -> None:
        for ticket in list(self._inside):
            ticket.check()
        for ticket in [each for each in self._inside if each.token is not None and not each.gone]:
            assert ticket.token is not None
            record, _ = await self._store.change(ticket.agent, domain.renew_probe(self.policy, ticket.token))
            if not ticket.settled:
                self._install(record)

    def _take_over(self, table: BreakerTable, before: Mapping[str, BreakerRecord]) -> None:
        self._zero = table.now - timedelta(seconds=self._clock())
        unwritten = {agent for agent, _ in self._outbox}
        found = {record.agent: record for record in table.records}
        for agent in (found.keys() | before.keys()) - unwritten:
            known = self._records.get(agent)
            if known is before.get(agent):  # else it was changed here meanwhile
                record = found.get(agent)
                if record is not None:
                    self._install(record)
                else:
                    self._records.pop(agent, None)
                    self._gates.pop(agent, None)

    def _install(self, record: BreakerRecord) -> None:
        agent = record.agent
        self._records[agent] = record
        gate = self._gates.get(agent)
        if gate is not None:
            gate.turn(record)
            if gate.idle(self.policy, self.now()):
                del self._gates[agent]
        else:
            gate = Gate(record)
            if not gate.idle(self.policy, self.now()):
                self._gates[agent] = gate

    def _lost(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            _log.warning("circuit breakers go by what is known here, their store is away: %s", error)


async def _tell_nobody() -> None:
    """No other process is known."""
