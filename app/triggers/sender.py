"""Sends what is queued for webhooks: signed, in the order of each thread, again after a pause when it was not taken.

Several processes share the work: who holds a lane sends what is in it.  A receiver that is slow or dead keeps its own
messages waiting, and its share of the sendings at a time; nobody else's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain.errors import Unavailable
from app.domain.known_secrets import KNOWN, KnownSecrets
from app.domain.times import duration_ms, utc_now
from app.domain.webhook_checks import PREFIX
from app.domain.webhook_store import SendStats
from app.domain.webhooks import SHOWN, Answer, DeliveryStatus, Try, Verdict, verdict
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from app.domain.webhook_store import DeliveryQueue, Lane, Recipient, Turn, WebhookBook
    from app.domain.webhooks import Delivery, Post

_PACE: Final = 0.01
"""Seconds between two looks at least."""
_LOOK: Final = 1.0
"""Seconds between two looks at what is due: another process may have queued it, or a pause be over."""
_SLACK: Final = 15.0
"""Seconds that a lane is held beyond the time of one sending."""
_SILENT: Final = 1_000
"""Targets without an answer that are remembered."""
_IN_A_ROW: Final = 20
"""Deliveries of a lane before others have their turn."""
_GRACE: Final = 0.5
"""Seconds for what is on its way when the service stops."""
_PAUSES: Final = (0.2, 1.0, 3.0)
_ERROR: Final = 500
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPolicy:
    """`pauses` in seconds between the attempts; `concurrency` sendings at once, `share` to one endpoint or host; each within
    `timeout` seconds.  An endpoint that fails for `disable_after` seconds is disabled.
    """

    pauses: tuple[float, ...]
    concurrency: int
    share: int
    timeout: float
    disable_after: float


class Sender:
    """One for the process, which is `owner` to the others."""

    def __init__(
        self,
        book: WebhookBook,
        queue: DeliveryQueue,
        post: Post,
        policy: SendPolicy,
        *,
        owner: str,
        dice: Callable[[], float],
    ) -> None:
        self._book = book
        self._queue = queue
        self._post = post
        self._policy = policy
        self._owner = owner
        self._dice = dice
        self._held: dict[Lane, None] = {}
        self._silent: dict[str, None] = {}
        """Targets that gave no answer the last time: they get one sending at a time, or some that hang would take all."""
        self._news = asyncio.Event()
        self._lease = policy.timeout + _SLACK
        self.stats = SendStats()
        self.pulse = Pulse(_LOOK)
        self.told: Callable[[str, str], Awaitable[None]] = _tell_nobody
        """Called with the id of an endpoint that was disabled, and why."""

    def hint(self) -> None:
        """There may be something to send."""
        self._news.set()

    async def run(self) -> None:
        """Send until cancelled; what is on its way then has a moment to arrive, and is else sent again."""
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    while True:
                        self._news.clear()
                        await self._turn(tasks)
                        self.pulse.beat()
                        await self._wait()
                finally:
                    await self._last()
        finally:
            try:
                async with asyncio.timeout(_GRACE):
                    await self._queue.release_all(self._owner)
            except (Unavailable, TimeoutError):
                _log.debug("what was on its way to webhooks is sent again once its lease is over")

    async def _wait(self) -> None:
        await asyncio.sleep(_PACE)
        try:
            async with asyncio.timeout(_LOOK):
                await self._news.wait()
        except TimeoutError:
            return

    async def _last(self) -> None:
        deadline = monotonic() + _GRACE
        while self._held and monotonic() < deadline:
            self._news.clear()
            try:
                async with asyncio.timeout(deadline - monotonic()):
                    await self._news.wait()
            except TimeoutError:
                return

    async def _turn(self, tasks: asyncio.TaskGroup) -> None:
        free = self._policy.concurrency - len(self._held)
        if free <= 0:
            return
        busy = Counter(lane.target for lane in self._held)
        for target in self._silent:
            busy[target] += self._policy.share - 1
        try:
            lanes = await self._queue.claim(self._owner, self._lease, free, self._policy.share, busy)
        except Unavailable as error:
            _log.debug("webhooks wait for the store: %s", error)
            return
        except Exception:  # noqa: BLE001 - what cannot be sent now must be sent later
            _log.exception("what is due for webhooks cannot be looked for")
            return
        for lane in lanes:
            if lane not in self._held:  # one that was lost to a stall, and is still being worked at here
                self._held[lane] = None
                tasks.create_task(self._work(lane))
        if len(lanes) == free:
            self._news.set()

    async def _work(self, lane: Lane) -> None:
        try:
            for _ in range(_IN_A_ROW):
                turn = await self._queue.next(self._owner, lane, self._lease)
                if turn is None:
                    return
                if turn.delivery is None:
                    await self._queue.release(self._owner, lane, turn.news)
                    return
                if turn.held or not await self._deliver(lane, turn, turn.delivery):
                    break
            await self._queue.release(self._owner, lane, None)  # which does nothing where it was let go of
        except Unavailable as error:
            _log.debug("a webhook waits for the store: %s", error)
        except Exception:  # noqa: BLE001 - its lane is due again when the lease is over
            _log.exception("something went wrong with a delivery to the endpoint %s", lane.endpoint_id)
        finally:
            del self._held[lane]
            self._news.set()

    async def _deliver(self, lane: Lane, turn: Turn, delivery: Delivery) -> bool:
        """Whether the next of its lane may be sent."""
        began = utc_now()
        answer = await self.send(turn.recipient, delivery, began)
        self._note(lane.target, silent=answer.status is None and turn.recipient is not None)
        waited = (began - delivery.queued_at) / timedelta(seconds=1)
        judged = verdict(answer, delivery.attempts + 1, waited, self._policy.pauses, self._dice)
        if turn.recipient is None:
            judged = Verdict(DeliveryStatus.FAILED)
        known = await self._finish(lane, delivery, judged, tried(answer, began))
        if known:
            retried = judged.status is DeliveryStatus.PENDING
            self.stats.outcomes["retried" if retried else judged.status.value] += 1
            await self._judge(lane, answer)
        return known and judged.status is not DeliveryStatus.PENDING

    def _note(self, target: str, *, silent: bool) -> None:
        self._silent.pop(target, None)
        if silent:
            self._silent[target] = None
        if len(self._silent) > _SILENT:
            del self._silent[next(iter(self._silent))]

    async def send(self, recipient: Recipient | None, delivery: Delivery, at: datetime) -> Answer:
        """Send it once; the answer holds no secret."""
        if recipient is None:
            return Answer(error="its webhook is no more")
        headers = {**recipient.headers, **signed(delivery, recipient.secrets, at)}
        began = monotonic()
        answer = await self._post.send(recipient.url, headers, delivery.body.encode(), self._policy.timeout)
        taken = monotonic() - began
        self.stats.seconds.note(taken)
        return clean(answer, recipient, taken)

    async def _finish(self, lane: Lane, delivery: Delivery, judged: Verdict, done: Try) -> bool:
        """What came of it is written down, also when the store is away for a moment: else it would be sent again."""
        for pause in _PAUSES:
            try:
                return await self._queue.finish(self._owner, lane, delivery, judged, done)
            except Unavailable:
                await asyncio.sleep(pause)
        return await self._queue.finish(self._owner, lane, delivery, judged, done)

    async def _judge(self, lane: Lane, answer: Answer) -> None:
        if answer.is_delivered:
            if lane.target == lane.endpoint_id:
                await self._book.delivered(lane.endpoint_id)
            return
        why = await self._book.failed(lane, gone=answer.is_gone, after=self._policy.disable_after)
        if why is not None:
            self.stats.outcomes["disabled"] += 1
            _log.warning("the webhook %s was disabled: %s", lane.endpoint_id, why)
            await self.told(lane.endpoint_id, why)


def signed(delivery: Delivery, secrets: tuple[str, ...], at: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks: a signature for each secret; none without one."""
    from standardwebhooks import Webhook  # noqa: PLC0415 - only who has webhooks needs it

    headers = {
        "content-type": "application/json",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(int(at.timestamp())),
    }
    signatures = [Webhook(secret).sign(delivery.id, at, delivery.body) for secret in secrets]
    return {**headers, **({"webhook-signature": " ".join(signatures)} if signatures else {})}


def tried(answer: Answer, at: datetime) -> Try:
    """A sending, as the log keeps it."""
    return Try(
        at=at,
        duration_ms=duration_ms(at, at + timedelta(seconds=answer.seconds)),
        status_code=answer.status,
        error=answer.error,
        answer=answer.text,
    )


def clean(answer: Answer, recipient: Recipient, seconds: float) -> Answer:
    """What came back, without the secrets that went along."""
    net = KnownSecrets()
    net.learn(*recipient.secrets, *(secret.removeprefix(PREFIX) for secret in recipient.secrets))
    net.learn(*recipient.headers.values())

    def kept(text: str, most: int) -> str:
        return KNOWN.excerpt(net.excerpt(text))[:most].replace("\x00", "\ufffd")

    return Answer(
        status=answer.status,
        error=None if answer.error is None else kept(answer.error, _ERROR),
        text=kept(answer.text, SHOWN),
        retry_after=answer.retry_after,
        seconds=seconds,
    )


async def _tell_nobody(_: str, __: str) -> None:
    """For who has nobody to tell."""
