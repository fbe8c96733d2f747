"""The `webhook` of a start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.api.requests_hook import StartWebhookRequest
    from app.api.services import Services
    from app.domain.webhooks import StartHook


async def hook_of(services: Services, wanted: StartWebhookRequest) -> StartHook:
    """What is written with the thread.  Raises InvalidRequest, Unavailable."""
    return await services.webhooks.of_start(wanted.url, wanted.events, wanted.headers, wanted.secret)
