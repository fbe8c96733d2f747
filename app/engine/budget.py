"""What a thread may cost: whether it is over one of its limits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from app.domain.records import Usage

if TYPE_CHECKING:
    from datetime import datetime

    from app.domain.spec import Limits


class Budget:
    """`spent` is what all step runs of the thread have cost so far; `since` is when the execution was asked for."""

    def __init__(self, limits: Limits, spent: Usage, since: datetime) -> None:
        self.limits = limits
        self.spent = spent
        self._since = since

    def spend(self, usage: Usage) -> None:
        """More was spent."""
        self.spent += usage

    @property
    def deadline(self) -> datetime | None:
        """When the time is over."""
        return None if self.limits.deadline is None else self._since + timedelta(seconds=self.limits.deadline)

    def exceeded(self, at: datetime) -> dict[str, Any] | None:
        """Which limit is reached, as the event of the pause tells it."""
        limits, spent = self.limits, self.spent
        tokens = spent.input_tokens + spent.output_tokens
        if limits.max_cost_usd is not None and spent.cost_usd >= limits.max_cost_usd and spent != Usage():
            return {"reason": "max_cost_usd", "limit": limits.max_cost_usd, "spent": spent.cost_usd}
        if limits.max_tokens is not None and tokens >= limits.max_tokens and spent != Usage():
            return {"reason": "max_tokens", "limit": limits.max_tokens, "spent": tokens}
        if self.deadline is not None and at >= self.deadline:
            return {"reason": "deadline", "limit": limits.deadline, "spent": (at - self._since).total_seconds()}
        return None
