"""The answers about queues, as OpenAPI documents them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class RateLimit(BaseModel):
    """At most `count` tokens, which take `per_ms` to come back."""

    count: int
    per_ms: int


class QueueAnswer(BaseModel):
    """A queue. `depth` threads are due and wait, `delayed` are not due yet (delayed, asleep, or waiting for a retry).

    `limit_scope`: whether `limit` holds for each process or over all of them.
    """

    name: str
    limit: int
    limit_scope: Literal["process", "all"]
    running: int
    depth: int
    delayed: int
    oldest_wait_ms: int | None
    max_depth: int
    rate_limit: RateLimit | None


class QueuesAnswer(BaseModel):
    """All queues, and their sums."""

    depth: int
    delayed: int
    running: int
    oldest_wait_ms: int | None
    queues: list[QueueAnswer]
