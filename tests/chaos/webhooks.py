"""Webhooks whose receiver goes away and comes back, while the processes that send are killed, one of two or both."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tests.chaos.frame import Outcome, Row
from tests.chaos.world import Load, ask, database, judge, services, settle
from tests.receiver import OK, Answer, Got, Receiver

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.service import Service

LEASE = 2
OWN = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
RETRIES = ",".join(["0.2s", "0.5s", "1s", *["2s"] * 400])
"""No message is given up while the row lasts: each has to arrive."""
PATIENCE = 120.0


class Door:
    """Verifies what comes when it comes, for a signature is good for five minutes; one in ten is turned away."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.wrong: list[str] = []
        self._dice = random.Random(19)

    def answer(self, got: Got) -> Answer:
        """What is said to a request."""
        try:
            got.verified(self.secrets[got.path])
        except Exception as error:  # noqa: BLE001 - whatever it is, it does not hold
            self.wrong.append(f"{got.path} {got.id}: {error}")
        return (500, {}, b"no") if self._dice.random() < 0.1 else OK


def delivered(kills: int, folder: Path) -> Outcome:
    """Two processes on one database; an endpoint for everything, and a webhook of its own for each thread."""
    outcome, dice, away = Outcome(), random.Random(17), 0
    door = Door()
    receiver = Receiver(door.answer)
    settings = {"LEASE_SECONDS": LEASE, "HTTP_ALLOW_PRIVATE": "true", "WEBHOOK_RETRIES": RETRIES}
    with receiver, database(folder) as base, services(folder, 2, DATABASE_URL=base.dsn, **settings) as pair:
        made = pair[0].post("/api/webhooks", {"url": f"{receiver.url}/all", "topics": ["workflow.>"]}, expect=201)
        door.secrets |= {"/all": made["secret"], "/own": OWN}
        own = {"url": f"{receiver.url}/own", "secret": OWN, "events": ["*"]}
        with Load(pair, per_second=8 if kills < 50 else 1.5, steps=3, sleep=0.1, more={"webhook": own}) as load:
            for number in range(kills):
                time.sleep(dice.uniform(0.2, 1.5))
                if number % 2:
                    receiver.stop()
                    away += 1
                _kill(pair if dice.random() < 0.3 else [dice.choice(pair)])
                time.sleep(dice.uniform(0.0, 1.0))
                receiver.stop()
                receiver.start()
                for service in pair:  # else nobody would ever live long enough to do anything
                    service.ready()
        settle(base.dsn, len(load.threads), 90)
        judge(base.dsn, outcome, load.threads, folder)
        taken = _settled(base.dsn, receiver)
        _tell(outcome, base.dsn, receiver)
        outcome.expect(not door.wrong, f"{len(door.wrong)} signatures do not hold: {door.wrong[:3]}")
        outcome.failures += load.trouble
        outcome.figures = {"kills": kills, "receiver away": away, "waited s": round(taken, 1)} | outcome.figures
    return outcome


def _kill(victims: list[Service]) -> None:
    for victim in victims:
        victim.kill()
    for victim in victims:
        victim.start()


def _events(dsn: str) -> set[tuple[str, int]]:
    return {(row[0], row[1]) for row in asyncio.run(ask(dsn, "SELECT thread_id, seq FROM workflow_events"))}


def _settled(dsn: str, receiver: Receiver) -> float:
    """Wait until everything has arrived; how long that took."""
    begun, wanted = time.monotonic(), 2 * len(_events(dsn))
    while time.monotonic() < begun + PATIENCE:
        if len({(one.path, one.id) for one in receiver.taken}) >= wanted:
            break
        time.sleep(0.2)
    return time.monotonic() - begun


def _tell(outcome: Outcome, dsn: str, receiver: Receiver) -> None:
    events, got = _events(dsn), list(receiver.got)
    for path in ("/all", "/own"):
        mine = [one for one in got if one.path == path]
        lost = events - {one.event for one in mine if one.status < 300}
        outcome.expect(not lost, f"{len(lost)} events never came to {path}: {sorted(lost)[:5]}")
        ids = {one.event: one.id for one in mine}
        changed = [one.event for one in mine if ids[one.event] != one.id]
        outcome.expect(not changed, f"{len(changed)} events came to {path} by several ids: {changed[:3]}")
        odd = _out_of_order([one for one in mine if one.status < 300])
        outcome.expect(not odd, f"{len(odd)} threads came to {path} out of order: {odd[:3]}")
    taken = Counter((one.path, one.id) for one in got if one.status < 300)
    outcome.figures |= {
        "events": len(events),
        "requests": len(got),
        "delivered twice": sum(taken.values()) - len(taken),
    }
    left = asyncio.run(ask(dsn, "SELECT status, count(*) FROM webhook_deliveries GROUP BY 1"))
    outcome.figures["deliveries"] = {row[0]: row[1] for row in left}


def _out_of_order(taken: list[Got]) -> list[str]:
    """Threads of which the first deliveries of each id did not come in the order of their events."""
    seen, order = set[str](), defaultdict[str, list[int]](list)
    for one in taken:
        if one.id not in seen:
            seen.add(one.id)
            thread, seq = one.event
            order[thread].append(seq)
    return [thread for thread, seqs in order.items() if seqs != sorted(seqs)]


ROWS = (
    Row(
        name="webhooks",
        fault="the receiver of webhooks away, the processes that send them killed",
        passes="each event delivered at least once by one id, every signature holds, in order per thread",
        unit="kills",
        doses=(8, 200),
        bounds=(300, 3_600),
        run=delivered,
    ),
)
