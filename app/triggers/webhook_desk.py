"""What people ask of webhooks: endpoints, what a start brings, a test, the log of deliveries and sending again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext, topics
from app.domain.errors import Conflict, InvalidRequest, NotFound, Problem
from app.domain.events import KEPT
from app.domain.ids import uuid7
from app.domain.times import rfc3339, utc_now
from app.domain.webhook_checks import new_secret, secret_problem
from app.domain.webhook_store import DeliveryFilter, Recipient
from app.domain.webhooks import (
    ALL,
    MASK,
    MOST,
    SERVICE,
    TEST,
    USUAL,
    Delivery,
    DeliveryStatus,
    StartHook,
    Webhook,
)
from app.triggers.sender import tried

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from app.domain.webhook_store import DeliveryLog, WebhookBook
    from app.domain.webhooks import Post
    from app.triggers.sender import Sender

OURS: Final = frozenset({"content-type", "content-length", "connection", "host", "transfer-encoding", "upgrade"})
"""Headers that are not anybody else's, beside those that begin with `webhook-`."""
_log: Final = logging.getLogger(__name__)


class WebhookDesk:
    """One for the process.  All that read or write raise Unavailable."""

    def __init__(self, book: WebhookBook, log: DeliveryLog, post: Post, sender: Sender) -> None:
        self._book = book
        self._deliveries = log
        self._post = post
        self._sender = sender
        self._signs = False
        """The service has a secret of its own."""

    # ---- endpoints
    async def listed(self, after: str, limit: int) -> list[Webhook]:
        """See WebhookBook."""
        return await self._book.listed(after, limit)

    async def find(self, webhook_id: str) -> Webhook:
        """An endpoint.  Raises NotFound."""
        found = await self._book.find(webhook_id) if webhook_id != SERVICE else None
        if found is None:
            raise _no_webhook(webhook_id)
        return found

    async def create(self, fields: Mapping[str, Any], secret: str | None) -> Webhook:
        """A new one, of the fields that are given.  Raises InvalidRequest, Conflict (too_many_webhooks)."""
        self._check(fields, secret)
        now = utc_now()
        webhook = Webhook(id=uuid7(), secret=secret or new_secret(), created_at=now, updated_at=now, **fields)
        if not await self._book.add(webhook, MOST):
            raise Conflict(f"there are {MOST} webhooks, and no more can be: delete one", code="too_many_webhooks")
        _log.info("the webhook %s was registered", webhook.id)
        return webhook

    async def change(self, webhook_id: str, changes: Mapping[str, Any]) -> Webhook:
        """Change what is given; a header given as `***` stays what it is.  Raises NotFound, InvalidRequest."""
        known = await self.find(webhook_id)
        given = dict(changes)
        if "headers" in given:
            kept = known.headers
            given["headers"] = {
                name: kept.get(name, value) if value == MASK else value for name, value in given["headers"].items()
            }
        self._check(given, None)
        changed = await self._book.change(webhook_id, given)
        if changed is None:
            raise _no_webhook(webhook_id)
        self._sender.hint()
        return changed

    async def delete(self, webhook_id: str) -> None:
        """Take it away, with its deliveries.  Raises NotFound."""
        if not await self._book.delete(webhook_id):
            raise _no_webhook(webhook_id)
        _log.info("the webhook %s was deleted", webhook_id)

    async def rotate(self, webhook_id: str, secret: str | None, overlap: float) -> Webhook:
        """A new secret; the one before signs too for `overlap` seconds.  Raises NotFound, InvalidRequest."""
        if secret is not None:
            _raise([Problem("/secret", said) for said in [secret_problem(secret)] if said])
        if webhook_id == SERVICE:
            await self._have_secret()
        new = secret or new_secret()
        found = await self._book.rotate(webhook_id, new, overlap)
        if found is None:
            raise _no_webhook(webhook_id)
        return found

    async def of_start(
        self, url: str, events: Collection[str] | None, headers: Mapping[str, str] | None, secret: str | None
    ) -> StartHook:
        """What a start brings for its thread.  Raises InvalidRequest."""
        found = [*self._url_faults(url), *self._header_faults(headers or {}), *_secret_faults(secret)]
        unknown = sorted(set(events or ()) - KEPT - {ALL})
        found += [Problem("/events", f"no event {name!r}; known: {', '.join(sorted(KEPT))}") for name in unknown[:1]]
        _raise([Problem(f"/webhook{one.pointer}", one.message) for one in found])
        if secret is None:
            await self._have_secret()
        wanted = tuple(sorted(set(events))) if events else tuple(sorted(USUAL))
        return StartHook(id=uuid7(), url=url, events=wanted, headers=dict(headers or {}), secret=secret)

    # ---- deliveries
    async def test(self, webhook_id: str) -> Delivery:
        """Send an event now, whatever waits, and tell what came back.  Raises NotFound."""
        webhook, now, name = await self.find(webhook_id), utc_now(), uuid7()
        message: dict[str, Any] = {
            "id": name,
            "type": "backstitch.test",
            "topic": TEST,
            "source": "backstitch",
            "subject": None,
            "timestamp": rfc3339(now),
            "data": {"webhook_id": webhook.id},
        }
        delivery = Delivery(
            id=name,
            endpoint_id=webhook.id,
            thread_id=None,
            lane=f"#{name}",
            seq=0,
            target=webhook.id,
            message_id=name,
            topic=TEST,
            body=jsontext.dumps(message),
            at=now,
            queued_at=now,
        )
        to = Recipient(url=webhook.url, headers=webhook.headers, secrets=webhook.secrets(now))
        answer = await self._sender.send(to, delivery, now)
        delivery.status = DeliveryStatus.DELIVERED if answer.is_delivered else DeliveryStatus.FAILED
        delivery.tries, delivery.attempts, delivery.ended_at = (tried(answer, now).text(),), 1, utc_now()
        await self._deliveries.note(delivery)
        return delivery

    async def deliveries(self, where: DeliveryFilter) -> list[Delivery]:
        """See DeliveryLog.page.  Raises NotFound for an endpoint that there is not."""
        if where.endpoint_id is not None:
            await self.find(where.endpoint_id)
        return await self._deliveries.page(where)

    async def delivery(self, delivery_id: str) -> Delivery:
        """One, with its body.  Raises NotFound."""
        found = await self._deliveries.find(delivery_id)
        if found is None:
            raise NotFound(f"no delivery {delivery_id}", code="delivery_not_found")
        return found

    async def redeliver(self, delivery_id: str) -> Delivery:
        """Send it again, by the same id.  Raises NotFound, Conflict (webhook_disabled)."""
        known = await self.delivery(delivery_id)
        endpoint = await self._book.find(known.endpoint_id)
        if endpoint is not None and not endpoint.enabled:
            raise _disabled(endpoint)
        await self._deliveries.again(delivery_id)
        self._sender.hint()
        return await self.delivery(delivery_id)

    async def recover(self, webhook_id: str, since: datetime) -> int:
        """Send again all that have failed, of messages since then.  Raises NotFound, Conflict (webhook_disabled)."""
        endpoint = await self.find(webhook_id)
        if not endpoint.enabled:
            raise _disabled(endpoint)
        found = await self._deliveries.recover(webhook_id, since)
        self._sender.hint()
        return found

    # ---- what is wrong with what was given
    def _check(self, fields: Mapping[str, Any], secret: str | None) -> None:
        found = list(self._url_faults(fields["url"])) if "url" in fields else []
        found += [*self._header_faults(fields.get("headers", {})), *_secret_faults(secret)]
        for place, pattern in enumerate(fields.get("topics", ())):
            try:
                topics.check_pattern(pattern)
            except ValueError as error:
                found.append(Problem(f"/topics/{place}", str(error)))
            if pattern in KEPT:
                told = f"events of threads are on {topics.OWN}.EVENT.WORKFLOW: write {topics.OWN}.{pattern}.>"
                found.append(Problem(f"/topics/{place}", told))
        _raise(found)

    def _url_faults(self, url: str) -> Iterator[Problem]:
        said = self._post.problem(url)
        if said is not None:
            yield Problem("/url", said)

    def _header_faults(self, headers: Mapping[str, str]) -> Iterator[Problem]:
        known: set[str] = set()
        for name, value in headers.items():
            said = self._post.header_problem(name, value)
            if name.lower() in OURS or name.lower().startswith("webhook-"):
                said = f"{name} is set by Backstitch"
            if name.lower() in known:
                said = f"{name} is given twice: capitals make no other header"
            known.add(name.lower())
            if value == MASK:
                said = f"{name} has no value that could stay: give it one"
            if said is not None:
                yield Problem("/headers", said)

    async def _have_secret(self) -> None:
        if not self._signs and await self._book.find(SERVICE) is None:
            now = utc_now()
            secret = new_secret()
            await self._book.add(
                Webhook(id=SERVICE, url="", topics=(), secret=secret, created_at=now, updated_at=now), 0
            )
        self._signs = True


def _secret_faults(secret: str | None) -> Iterator[Problem]:
    said = None if secret is None else secret_problem(secret)
    if said is not None:
        yield Problem("/secret", said)


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise InvalidRequest(f"{problems[0].pointer}: {problems[0].message}", problems=problems)


def _no_webhook(webhook_id: str) -> NotFound:
    return NotFound(f"no webhook {webhook_id}", code="webhook_not_found")


def _disabled(webhook: Webhook) -> Conflict:
    why = f": {webhook.disabled_reason}" if webhook.disabled_reason else ""
    return Conflict(f"the webhook {webhook.id} is disabled{why}: enable it first", code="webhook_disabled")
