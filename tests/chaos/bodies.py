"""Hostile bodies over HTTP, and the same as the output of an agent: refused with 4xx or kept without loss, never a 500."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil

from tests.acceptance.functions import ODD
from tests.acceptance.service import ENDED, Service, digest, waiting
from tests.chaos import hostile
from tests.chaos.frame import Outcome, Row
from tests.chaos.world import services

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GROWTH = 300_000_000
_NOTHING = object()


class Attack:
    """Sends one body after the other; what was accepted is looked at in the end."""

    def __init__(self, service: Service, outcome: Outcome) -> None:
        self._service = service
        self._outcome = outcome
        self._dice = random.Random(17)
        self._accepted: dict[str, tuple[str, Any]] = {}
        self.thread = service.run(hostile.ECHO, 1)["thread_id"]
        self.kinds: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()

    def strike(self, count: int) -> None:
        """So many in all; a few of a gigabyte, the others by turns, the fixed ones first."""
        for number in range(max(2, min(count // 100, 20))):
            self._gigabyte(number)
        ways: list[Callable[[int], None]] = [
            self._refused,
            self._lossless,
            self._raw,
            self._lie,
            self._output,
            self._mutated,
        ]
        ways += [self._odd]
        for number in range(count):
            ways[number % len(ways)](number // len(ways))

    def look(self) -> None:
        """Every accepted thread ends, and what came back is what was sent."""
        for thread, (what, wanted) in self._accepted.items():
            found: dict[str, Any] = {}
            for _ in waiting(f"{what} ({thread}) to end"):
                found = self._service.status(thread)
                if found["status"] in ENDED:
                    break
            if wanted is _NOTHING:
                fine = found["status"] == "failed" and bool(found["error"]["kind"])
            else:
                fine = found["status"] == "completed" and digest(found["output"]) == digest({"only": wanted})
            self.kinds["lossless" if wanted is not _NOTHING else "failed as they should"] += fine
            self._outcome.expect(fine, f"{what}: {found['status']} {found['error']} {str(found['output'])[:80]}")

    def _sent(self, what: str, status: int, allowed: Callable[[int], bool]) -> None:
        self.statuses[status] += 1
        self._outcome.expect(allowed(status), f"{what}: {status}")

    def _start(self, what: str, body: bytes, wanted: Any, path: str = hostile.START) -> None:
        answer = self._service.http.post(path, content=body, headers={"content-type": "application/json"})
        accepted = answer.status_code == 202 and path == hostile.START
        if wanted is _NOTHING:
            self._sent(what, answer.status_code, lambda status: 400 <= status < 500)
        else:
            self._sent(what, answer.status_code, lambda status: 200 <= status < 500)
            self._outcome.expect(accepted, f"{what} was not taken: {answer.text[:200]}")
        if accepted:
            self._accepted[answer.json()["thread_id"]] = (what, wanted)

    def _gigabyte(self, number: int) -> None:
        chunked = bool(number % 2)
        path = hostile.ROUTES[number // 2 % len(hostile.ROUTES)].format(thread=self.thread)
        answer = hostile.gigabyte(self._service.port, path, chunked=chunked)
        self.kinds["gigabytes"] += 1
        # 0: it answers and hangs up while we still send, and a reset may overtake the answer.
        self._sent(f"1 GB to {path}", answer.status, lambda status: status in (413, 0))
        self._outcome.expect(answer.sent <= hostile.EARLY, f"1 GB to {path}: refused after {answer.sent:,} bytes only")

    def _refused(self, number: int) -> None:
        value = hostile.REFUSED[number % len(hostile.REFUSED)]
        field = self._dice.choice(["input", "context", "triggered_by", "priority"])
        body = f'{{"workflow": {json.dumps(hostile.ECHO)}, "{field}": {value}}}'.encode("utf-8", "surrogatepass")
        self._start(f"{field} {value[:20]!r}", body, _NOTHING)

    def _lossless(self, number: int) -> None:
        value = hostile.LOSSLESS[number % len(hostile.LOSSLESS)]
        body = f'{{"workflow": {json.dumps(hostile.ECHO)}, "input": {value}}}'.encode()
        self._start(f"input {value[:20]!r}", body, json.loads(value))

    def _odd(self, _: int) -> None:
        value = hostile.odd_value(self._dice)
        body = json.dumps({"workflow": hostile.ECHO, "input": value}, ensure_ascii=self._dice.random() < 0.5)
        self._start(f"input {str(value)[:40]!r}", body.encode(), value)

    def _raw(self, number: int) -> None:
        path = self._dice.choice(hostile.ROUTES).format(thread=self.thread)
        body = hostile.RAW[number % len(hostile.RAW)]
        answer = self._service.http.post(path, content=body)
        optional = body.strip() in (b"", b"null") or path.endswith(self.thread)  # a body that may be left out
        self._sent(
            f"{body[:30]!r} to {path}", answer.status_code, lambda status: (200 if optional else 400) <= status < 500
        )

    def _lie(self, number: int) -> None:
        kind = hostile.LIES[number % len(hostile.LIES)]
        body = json.dumps({"workflow": hostile.ECHO, "input": number}).encode()
        answer = hostile.lie(self._service.port, kind, body)
        self.kinds["lies"] += 1
        self._sent(f"framing: {kind}", answer.status, lambda status: 400 <= status < 500 or status in (0, 202))

    def _output(self, number: int) -> None:
        what = hostile.OUTPUTS[number % len(hostile.OUTPUTS)]
        step = {"id": "only", "python": "odd", "input": {"what": what}, "retry": {"max_attempts": 1}}
        document = {"name": "odd", "steps": [step]}
        answer = self._service.http.post(hostile.START, json={"workflow": document, "input": {}})
        self._sent(f"agent's output {what}", answer.status_code, lambda status: status == 202)
        wanted = ODD[what] if what in hostile.KEPT else _NOTHING
        if answer.status_code == 202:
            self._accepted[answer.json()["thread_id"]] = (f"agent's output {what}", wanted)

    def _mutated(self, _: int) -> None:
        """Whatever it is now: an answer below 500; where it still is a start of the echo, without loss."""
        value = hostile.odd_value(self._dice)
        body = hostile.mutated(self._dice, json.dumps({"workflow": hostile.ECHO, "input": value}).encode())
        path = self._dice.choice(hostile.ROUTES).format(thread=self.thread)
        answer = self._service.http.post(path, content=body)
        self._sent(f"mutated {body[:200]!r}", answer.status_code, lambda status: 200 <= status < 500)
        with suppress(ValueError, RecursionError):
            sent = json.loads(body)
            if answer.status_code == 202 and path == hostile.START and sent["workflow"] == hostile.ECHO:
                self._accepted[answer.json()["thread_id"]] = ("mutated", sent.get("input"))


def run(count: int, folder: Path) -> Outcome:
    """So many bodies."""
    outcome = Outcome()
    with services(folder, 1) as [service]:
        assert service.process is not None
        memory = psutil.Process(service.process.pid)
        before = memory.memory_info().rss
        attack = Attack(service, outcome)
        attack.strike(count)
        attack.look()
        grown = memory.memory_info().rss - before
        outcome.expect(service.process.poll() is None, "the service died")
        outcome.expect(service.http.get("/api/health").status_code == 200, "the service is not well afterwards")
        outcome.expect(grown < GROWTH, f"the memory grew by {grown / 1e6:.0f} MB")
        unexpected = service.log.read_text(encoding="utf-8").count("unexpected error")
        outcome.expect(unexpected == 0, f"{unexpected} unexpected errors in the log")
    statuses = attack.statuses
    outcome.figures = {
        "bodies": sum(statuses.values()),
        "4xx": sum(count for status, count in statuses.items() if 400 <= status < 500),
        "2xx": sum(count for status, count in statuses.items() if 200 <= status < 300),
        "5xx": sum(count for status, count in statuses.items() if status >= 500),
        "hung up": statuses[0],
        "left waiting": statuses[-1],
        **attack.kinds,
        "memory": f"{grown / 1e6:+.0f} MB",
    }
    return outcome


ROWS = (
    Row(
        name="bodies",
        fault="hostile bodies, and the same as an agent's output",
        passes="4xx or lossless, 0 x 500, 1 GB refused early, the service lives",
        unit="bodies",
        doses=(200, 10_000),
        bounds=(120, 1_800),
        run=run,
    ),
)
