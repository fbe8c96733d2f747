"""The figures of webhooks: what was sent and what came of it, how much waits; and how they are, for the health."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from app.domain.times import utc_now
from app.telemetry.figures import Figure, gauge
from app.telemetry.health import DEGRADED, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from app.domain.webhook_store import Backlog, SendStats
    from app.domain.webhooks import Webhook
    from app.telemetry.health import Part

OUTCOMES: Final = ("delivered", "retried", "failed")
PATIENCE: Final = timedelta(hours=1)
"""How long an endpoint may fail before the health tells of it."""
_NAMED: Final = 3


class Looked(Protocol):
    """What was last seen of the store."""

    @property
    def backlog(self) -> Backlog:
        """How much waits."""
        ...

    @property
    def failing(self) -> Sequence[Webhook]:
        """Endpoints that fail or were disabled because they did."""
        ...


@dataclass(frozen=True, slots=True)
class WebhookFigures:
    """What this process has sent, and what waits in the store."""

    stats: SendStats
    looked: Looked

    def figures(self) -> Iterator[Figure]:
        """See telemetry.figures.Source."""
        told = "Sendings of webhooks by what came of them: delivered, retried (to be sent again), failed (given up)."
        samples = [((outcome,), float(self.stats.outcomes[outcome])) for outcome in OUTCOMES]
        yield Figure("backstitch_webhook_deliveries_total", "counter", told, samples, ("outcome",))
        told = "How long sending a webhook took, answer or not."
        yield Figure("backstitch_webhook_attempt_seconds", "histogram", told, [((), self.stats.seconds)])
        found, failing = self.looked.backlog, self.looked.failing
        yield gauge("backstitch_webhook_pending", "Deliveries that wait, up to 100,000.", found.pending)
        age = 0.0 if found.oldest is None else max(0.0, (utc_now() - found.oldest) / timedelta(seconds=1))
        told = "How old the message is that waits for longest to be delivered."
        yield gauge("backstitch_webhook_oldest_pending_seconds", told, age)
        told = "Endpoints that fail, and those that were disabled because they did."
        yield gauge("backstitch_webhook_endpoints_failing", told, len(failing))


def webhooks_part(looked: Looked, now: Callable[[], datetime] = utc_now) -> Part:
    """Whether endpoints take what is sent to them: their receivers' trouble, which keeps no thread from running."""
    failing = looked.failing
    off = [one for one in failing if not one.enabled]
    long = [one for one in failing if one.enabled and one.failing_since and now() - one.failing_since > PATIENCE]
    told = {"pending": looked.backlog.pending, "failing": len(failing) - len(off), "disabled": len(off)}
    names = ", ".join(one.id for one in [*off, *long][:_NAMED])
    return judged(
        told,
        (DEGRADED, f"disabled because they failed: {names}" if off else None),
        (DEGRADED, f"nothing was delivered for an hour: {names}" if long else None),
    )
