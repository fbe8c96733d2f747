"""What tokens cost: the agent's own price, else the published one of a known model, else nothing, which is said once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from app.domain.runner import Usage

if TYPE_CHECKING:
    from app.runners.llm.config import Config
    from app.runners.llm.talk import Heard

_log = logging.getLogger(__name__)
_MILLION: Final = 1_000_000
_TOLD_AT_MOST: Final = 1000


class Prices:
    """Remembers which models' prices it has said to be unknown."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def usage(self, config: Config, heard: Heard) -> Usage:
        """The tokens of an answer and their cost in US dollars, as far as they can be counted."""
        return Usage(
            input_tokens=heard.input_tokens, output_tokens=heard.output_tokens, cost_usd=self._cost(config, heard)
        ).bounded()

    def _cost(self, config: Config, heard: Heard) -> float:
        if config.price is not None:
            put_in, given = config.price
            return (heard.input_tokens * put_in + heard.output_tokens * given) / _MILLION
        published = _published(config, heard)
        if published is None:
            self._tell(config)
        return published or 0.0

    def _tell(self, config: Config) -> None:
        known = (config.url, config.model)
        if known not in self._told and len(self._told) < _TOLD_AT_MOST:
            self._told.add(known)
            _log.warning("the price of model %s is not known: it counts as free (config.price sets one)", config.model)


def _published(config: Config, heard: Heard) -> float | None:
    """The list price as genai-prices has it with the version installed; nothing is fetched."""
    from genai_prices import Usage as Tokens  # noqa: PLC0415 - comes with the extras
    from genai_prices import calc_price  # noqa: PLC0415

    cached = {"cache_read_tokens": heard.cache_read_tokens, "cache_write_tokens": heard.cache_write_tokens}
    tokens = Tokens(
        input_tokens=heard.input_tokens,
        output_tokens=heard.output_tokens,
        **{name: count for name, count in cached.items() if count},
    )
    where: dict[str, Any] = {"provider_api_url": config.url} if config.own_url else {"provider_id": config.provider}
    try:
        return float(calc_price(tokens, config.model, **where).total_price)
    except (LookupError, ValueError):
        return None
