"""The `webhook` of a start, as a client may write it."""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

from pydantic import BeforeValidator, Field, WithJsonSchema

from app.api.parsing import Body

_SCHEMA: Final = {
    "anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/StartWebhookRequest"}, {"type": "null"}],
    "description": "A URL to tell of this thread, or one with what else there is to say.",
}
Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
ShortUrl = Annotated[str, Field(max_length=2_000, pattern=r"^[^\x00]*$")]
Headers = Annotated[
    dict[Text, Annotated[str, Field(max_length=4_000)]],
    Field(max_length=20, description="Sent along; their values are never shown."),
]


def _webhook(value: Any) -> Any:
    if value is None or isinstance(value, dict):
        return cast("dict[str, Any] | None", value)
    if isinstance(value, str):
        return {"url": value}
    raise ValueError("should be a URL, or an object with a `url`")


class StartWebhookRequest(Body):
    """Where to tell of a thread, and of what: without `events` of its ends and its gates."""

    url: ShortUrl
    events: Annotated[list[Text] | None, Field(min_length=1, max_length=50, description="`*` for all.")] = None
    headers: Headers | None = None
    secret: Annotated[Text | None, Field(description="`whsec_...`; the service's own signs without it.")] = None


StartWebhook = Annotated[StartWebhookRequest | None, BeforeValidator(_webhook), WithJsonSchema(_SCHEMA)]
