"""What the steps of the examples in docs/workflow-document.md, limits.md, compensation.md and sub-workflows.md do."""

from __future__ import annotations

from typing import Any

from app.domain.runner import StepContext, StepFailure, Usage
from app.runners.registration import agent, function


@agent("reader")
def reader(given: dict[str, Any]) -> dict[str, Any]:
    """Counts the words of a text; an empty one is refused."""
    if not given["text"].strip():
        raise StepFailure("there is nothing to read", kind="empty", retryable=False)
    return {"words": len(given["text"].split())}


@function("add")
def add(given: list[int]) -> dict[str, int]:
    """A sum."""
    return {"words": sum(given)}


@agent("polisher")
def polisher(given: dict[str, Any]) -> dict[str, Any]:
    """A little better each time."""
    text = given["text"].removeprefix("very ")
    return {"text": text, "score": 1.0 if not text.startswith("very ") else 0.5}


@agent("publisher")
def publisher(given: dict[str, Any]) -> dict[str, Any]:
    """Publishes what is not secret."""
    if given.get("secret"):
        raise StepFailure("this is secret", kind="refused", retryable=False)
    return {"published": given["text"]}


@function("park")
def park(given: dict[str, Any]) -> dict[str, Any]:
    """Puts something aside."""
    return {"parked": given["text"], "because": given["why"]}


@function("report")
def report(given: Any) -> Any:
    """Its input."""
    return given


@agent("thinker")
def thinker(given: dict[str, Any], ctx: StepContext) -> str:
    """Says how many tokens it took, as agents of models do by themselves."""
    ctx.spend(Usage(input_tokens=900, output_tokens=100, cost_usd=0.4))
    return f"thoughts about {given['topic']}"


@function("book")
def book(given: dict[str, Any], ctx: StepContext) -> dict[str, str]:
    """Books something under the step's key: asked twice, it books once."""
    return {"booking": f"{given['what']}-{ctx.idempotency_key[-12:]}"}


@function("cancel-booking")
def cancel_booking(given: dict[str, Any], ctx: StepContext) -> dict[str, str]:
    """Takes a booking back, under a key of its own."""
    return {"cancelled": given["booking"], "key": ctx.idempotency_key}


@function("send-mail")
def send_mail(given: dict[str, Any]) -> str:
    """What has been sent cannot be called back."""
    return f"sent to {given['to']}"


@agent("translator")
def translator(given: dict[str, Any]) -> str:
    """A translation of sorts."""
    return f"{given['text']} ({given['language']})"
