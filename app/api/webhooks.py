"""Webhooks: endpoints, their secrets, a test, the log of deliveries, and sending again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from fastapi import APIRouter
from fastapi import Query as FromQuery
from starlette.requests import Request
from starlette.responses import Response

from app.api import cursors, examples_webhooks
from app.api.answers import answer
from app.api.openapi import body, example, problems
from app.api.parsing import read
from app.api.requests import Page
from app.api.requests_webhooks import (
    ChangeWebhookRequest,
    DeliveriesQuery,
    RecoverRequest,
    RedeliverRequest,
    RotateWebhookRequest,
    TestWebhookRequest,
    ThreadDeliveriesQuery,
    WebhookRequest,
)
from app.api.schemas_webhooks import (
    DeletedWebhookAnswer,
    DeliveriesAnswer,
    DeliveryAnswer,
    DeliveryEntry,
    RecoveredAnswer,
    RotatedAnswer,
    WebhookAnswer,
    WebhooksAnswer,
    WebhookSecretAnswer,
)
from app.api.services import services_of
from app.domain.errors import InvalidRequest, NotFound, Problem
from app.domain.views import webhooks as views
from app.domain.webhook_store import DeliveryFilter
from app.domain.webhooks import SERVICE, USUAL_TOPICS

if TYPE_CHECKING:
    from app.domain.webhooks import Delivery

router: Final = APIRouter(tags=["webhooks"])
_WITHOUT: Final[dict[str, Any]] = {"topics": USUAL_TOPICS, "workflows": (), "headers": {}}
"""What null stands for."""
DEFAULT: Final = "default"
_ID: Final = examples_webhooks.WEBHOOK_ID
_MISSING: Final = {"webhook_not_found": f"no webhook {_ID}"}
_NO_DELIVERY: Final = problems(404, delivery_not_found=f"no delivery {examples_webhooks.DELIVERY_ID}")
_OFF: Final = {"webhook_disabled": f"the webhook {_ID} is disabled: enable it first"}
_PAGE: Final = example({"deliveries": [examples_webhooks.ENTRY], "next_cursor": None})


@router.get(
    "/webhooks",
    operation_id="list_webhooks",
    response_model=WebhooksAnswer,
    responses={**problems(422), 200: example({"webhooks": [examples_webhooks.WEBHOOK], "next_cursor": None})},
)
async def listed(request: Request, query: Annotated[Page, FromQuery()]) -> Response:
    """The endpoints, the oldest first; neither secrets nor the values of headers are told."""
    found = await services_of(request).webhooks.listed(cursors.one_id(query.cursor) or "", query.limit + 1)
    page = found[: query.limit]
    cursor = cursors.encode(page[-1].id) if len(found) > query.limit else None
    return answer({"webhooks": [views.webhook_document(one) for one in page], "next_cursor": cursor})


@router.post(
    "/webhooks",
    operation_id="create_webhook",
    status_code=201,
    response_model=WebhookSecretAnswer,
    responses={
        **problems(409, 400, 413, 422, too_many_webhooks="there are 100 webhooks, and no more can be: delete one"),
        201: example(examples_webhooks.CREATED),
    },
    openapi_extra=body(WebhookRequest, examples_webhooks.CREATE),
)
async def create(request: Request) -> Response:
    """Have messages sent to a URL from now on; the answer is the only one that tells the secret."""
    wanted = await read(request, WebhookRequest)
    given = {name: value for name, value in wanted if value is not None and name != "secret"}
    for name in given.keys() & {"topics", "workflows"}:
        given[name] = tuple(given[name])
    made = await services_of(request).webhooks.create(given, wanted.secret)
    told = {**views.webhook_document(made), "secret": made.secret}
    return answer(told, 201, {"Location": f"/api/webhooks/{made.id}"})


@router.get(
    "/webhooks/deliveries",
    operation_id="thread_deliveries",
    response_model=DeliveriesAnswer,
    responses={**problems(422), 200: _PAGE},
)
async def of_thread(request: Request, query: Annotated[ThreadDeliveriesQuery, FromQuery()]) -> Response:
    """What was sent about a thread, to endpoints and to the webhook that its start brought."""
    return await _page(request, query, thread_id=query.thread_id, status=query.status)


@router.get(
    "/webhooks/deliveries/{delivery_id}",
    operation_id="get_delivery",
    response_model=DeliveryAnswer,
    responses={**_NO_DELIVERY, 200: example(examples_webhooks.DELIVERY)},
)
async def delivery(delivery_id: str, request: Request) -> Response:
    """A delivery, with what is sent."""
    found = await services_of(request).webhooks.delivery(_known_form(delivery_id, "delivery"))
    return answer(views.whole_delivery_document(found))


@router.post(
    "/webhooks/deliveries/{delivery_id}/redeliver",
    operation_id="redeliver",
    status_code=202,
    response_model=DeliveryEntry,
    responses={
        **problems(409, 400, 413, 422, **_OFF),
        **_NO_DELIVERY,
        202: example(examples_webhooks.WAITING),
    },
    openapi_extra=body(RedeliverRequest, {}, required=False),
)
async def redeliver(delivery_id: str, request: Request) -> Response:
    """Send it again, whatever became of it, by the same `webhook-id`."""
    name = _known_form(delivery_id, "delivery")
    await read(request, RedeliverRequest, empty=True)
    found = await services_of(request).webhooks.redeliver(name)
    return answer(views.delivery_document(found), 202, {"Location": f"/api/webhooks/deliveries/{found.id}"})


@router.get(
    "/webhooks/{webhook_id}",
    operation_id="get_webhook",
    response_model=WebhookAnswer,
    responses={**problems(404, **_MISSING), 200: example(examples_webhooks.WEBHOOK)},
)
async def one(webhook_id: str, request: Request) -> Response:
    """An endpoint."""
    found = await services_of(request).webhooks.find(_known_form(webhook_id))
    return answer(views.webhook_document(found))


@router.patch(
    "/webhooks/{webhook_id}",
    operation_id="change_webhook",
    response_model=WebhookAnswer,
    responses={**problems(404, 400, 413, 422, **_MISSING), 200: example(examples_webhooks.WEBHOOK)},
    openapi_extra=body(ChangeWebhookRequest, {"enabled": True}),
)
async def change(webhook_id: str, request: Request) -> Response:
    """Change what is given and leave the rest; enabling it takes its failures for over."""
    name = _known_form(webhook_id)
    wanted = await read(request, ChangeWebhookRequest)
    changes: dict[str, Any] = {field: getattr(wanted, field) for field in wanted.model_fields_set}
    for field, value in changes.items():
        usual = _WITHOUT.get(field) if value is None else value
        changes[field] = tuple(cast("list[str]", usual)) if field in {"topics", "workflows"} else usual
    for field in ("url", "enabled"):
        if changes.get(field, "") is None:
            raise InvalidRequest(f"/{field}: cannot be null", problems=[Problem(f"/{field}", "cannot be null")])
    found = await services_of(request).webhooks.change(name, changes)
    return answer(views.webhook_document(found))


@router.delete(
    "/webhooks/{webhook_id}",
    operation_id="delete_webhook",
    response_model=DeletedWebhookAnswer,
    responses={**problems(404, **_MISSING), 200: example({"id": _ID, "deleted": True})},
)
async def delete(webhook_id: str, request: Request) -> Response:
    """Send nothing there any more, not even what waits; its deliveries are forgotten."""
    name = _known_form(webhook_id)
    await services_of(request).webhooks.delete(name)
    return answer({"id": name, "deleted": True})


@router.post(
    "/webhooks/{webhook_id}/rotate",
    operation_id="rotate_webhook_secret",
    response_model=RotatedAnswer,
    responses={**problems(404, 400, 413, 422, **_MISSING), 200: example(examples_webhooks.ROTATED)},
    openapi_extra=body(RotateWebhookRequest, {"overlap": "24h"}, required=False),
)
async def rotate(webhook_id: str, request: Request) -> Response:
    """A new secret, told this once; `default` is the one that signs for starts that bring none of their own."""
    name = SERVICE if webhook_id == DEFAULT else _known_form(webhook_id)
    wanted = await read(request, RotateWebhookRequest, empty=True)
    found = await services_of(request).webhooks.rotate(name, wanted.secret, wanted.overlap)
    until = views.webhook_document(found)["old_secret_until"]
    return answer({"id": webhook_id, "secret": found.secret, "old_secret_until": until})


@router.post(
    "/webhooks/{webhook_id}/test",
    operation_id="test_webhook",
    response_model=DeliveryEntry,
    responses={**problems(404, 400, 413, 422, **_MISSING), 200: example(examples_webhooks.ENTRY)},
    openapi_extra=body(TestWebhookRequest, {}, required=False),
)
async def test(webhook_id: str, request: Request) -> Response:
    """Send a test event now, once, also to one that is disabled; the answer tells what came back."""
    name = _known_form(webhook_id)
    await read(request, TestWebhookRequest, empty=True)
    return answer(views.delivery_document(await services_of(request).webhooks.test(name)))


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    operation_id="webhook_deliveries",
    response_model=DeliveriesAnswer,
    responses={**problems(422), **problems(404, **_MISSING), 200: _PAGE},
)
async def deliveries(webhook_id: str, request: Request, query: Annotated[DeliveriesQuery, FromQuery()]) -> Response:
    """What was sent to an endpoint, or waits, with what came of each try."""
    name = _known_form(webhook_id)
    return await _page(request, query, endpoint_id=name, thread_id=query.thread_id, status=query.status)


@router.post(
    "/webhooks/{webhook_id}/recover",
    operation_id="recover_webhook",
    status_code=202,
    response_model=RecoveredAnswer,
    responses={
        **problems(409, 400, 413, 422, **_OFF),
        **problems(404, **_MISSING),
        202: example({"webhook_id": _ID, "recovered": 12}),
    },
    openapi_extra=body(RecoverRequest, {"since": "2026-11-21T09:30:00Z"}),
)
async def recover(webhook_id: str, request: Request) -> Response:
    """Send again, in their order, all that have failed, of messages since a time."""
    name = _known_form(webhook_id)
    wanted = await read(request, RecoverRequest)
    found = await services_of(request).webhooks.recover(name, wanted.since)
    return answer({"webhook_id": name, "recovered": found}, 202)


async def _page(request: Request, query: Page, **where: Any) -> Response:
    before = cursors.delivery(query.cursor)
    found = await services_of(request).webhooks.deliveries(
        DeliveryFilter(before=before, limit=query.limit + 1, **where)
    )
    page = found[: query.limit]
    cursor = _cursor(page[-1]) if len(found) > query.limit else None
    return answer({"deliveries": [views.delivery_document(one) for one in page], "next_cursor": cursor})


def _cursor(last: Delivery) -> str:
    return cursors.encode(last.at.isoformat(), last.seq, last.id)


def _known_form(name: str, kind: str = "webhook") -> str:
    """`name` if one can have it as its id.  Raises NotFound."""
    if not cursors.is_uuid(name):
        raise NotFound(f"no {kind} {name[:128]!r}", code=f"{kind}_not_found")
    return name.lower()
