"""The bodies and queries of the routes of webhooks."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import ConfigDict, Field

from app.api.parsing import Body
from app.api.requests import Duration, Page, ShortText, ThreadId, Time
from app.api.requests_hook import Headers, ShortUrl
from app.domain.webhooks import DeliveryStatus

_DAY: Final = 86_400.0
_WEEK: Final = 7 * _DAY

Topics = Annotated[
    list[Annotated[str, Field(max_length=255)]],
    Field(min_length=1, max_length=100, description="Patterns; without it the ends of threads, and their gates."),
]
Workflows = Annotated[
    list[ShortText],
    Field(max_length=100, description="Only of these, where topics are those of threads; any without it."),
]


class WebhookRequest(Body):
    """Where to send which messages. `secret` is made unless it is given."""

    url: ShortUrl
    topics: Topics | None = None
    workflows: Workflows | None = None
    headers: Headers | None = None
    secret: Annotated[ShortText | None, Field(description="`whsec_` and 24 to 64 bytes in base64.")] = None
    description: ShortText | None = None
    enabled: bool = True


class ChangeWebhookRequest(Body):
    """What is given is changed; null is what it is without it. A header whose value is `***` stays what it is."""

    url: ShortUrl | None = None
    topics: Topics | None = None
    workflows: Workflows | None = None
    headers: Headers | None = None
    description: ShortText | None = None
    enabled: bool | None = None


class RotateWebhookRequest(Body):
    """A new secret; made unless it is given."""

    secret: ShortText | None = None
    overlap: Annotated[
        Duration, Field(le=_WEEK, description="For how long the old one signs beside it; a day without it.")
    ] = _DAY


class TestWebhookRequest(Body):
    """Nothing to say so far."""


class RedeliverRequest(Body):
    """Nothing to say so far."""


class RecoverRequest(Body):
    """Since when."""

    since: Annotated[Time, Field(strict=False, description="Of messages since then.")]


class DeliveriesQuery(Page):
    """Which deliveries of a webhook."""

    model_config = ConfigDict(use_enum_values=False)

    status: DeliveryStatus | None = None
    thread_id: ThreadId | None = None


class ThreadDeliveriesQuery(Page):
    """Which deliveries of a thread."""

    thread_id: ThreadId
    status: DeliveryStatus | None = None
