"""The providers' libraries and their clients: loaded on first use, in a thread, and pooled over two sets of connections."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.runners.llm.config import Config

_CLIENTS: Final = 64
"""Clients kept; they share their connections, so that one more costs next to nothing."""
_CONNECT: Final = 10.0
_FRAMING: Final = 8
"""How many times longer an answer may be as it comes than as text: each few characters are wrapped in an event."""


@dataclass(frozen=True, slots=True)
class Client:
    """A provider's library, a client of it, and the headers to send with every request: what its settings cannot say."""

    sdk: Any
    api: Any
    headers: Mapping[str, Any]


def installed(provider: str) -> bool:
    """Whether the provider's library, which is an extra, is there."""
    return importlib.util.find_spec(provider) is not None


class Clients:
    """One client for each (provider, address, key); close them with `aclose`."""

    def __init__(self, *, allow_private: bool, max_bytes: int) -> None:
        self._allow_private = allow_private
        self._limit = _FRAMING * max_bytes
        self._clients: OrderedDict[tuple[str, str, str | None, bool], Client] = OrderedDict()
        self._connections: dict[bool, Any] = {}
        self._making = asyncio.Lock()
        self._connecting = threading.Lock()

    async def get(self, config: Config, key: str | None) -> Client:
        """The client for an agent; `key` None sends none."""
        which = (config.provider, config.url, key, config.chosen_url)
        async with self._making:
            found = self._clients.get(which)
            if found is None:
                found = await asyncio.to_thread(self._make, *which)
                self._clients[which] = found
                while len(self._clients) > _CLIENTS:
                    self._clients.popitem(last=False)
            self._clients.move_to_end(which)
            return found

    async def aclose(self) -> None:
        """Close the connections."""
        self._clients.clear()
        while self._connections:
            await self._connections.popitem()[1].aclose()

    def _make(self, provider: str, url: str, key: str | None, strangers: bool) -> Client:
        sdk = importlib.import_module(provider)
        more: dict[str, Any] = {"open_telemetry": False} if provider == "anthropic" else {}
        sent, unsent = _keys(provider, key)
        client = getattr(sdk, "AsyncAnthropic" if provider == "anthropic" else "AsyncOpenAI")(
            base_url=url,
            api_key=key or "none",
            max_retries=0,
            http_client=self._connected(strangers=strangers),
            # Not with each request: the libraries log those at the level debug.
            default_headers=sent,
            **more,
        )
        _warm_up(provider, client)
        withheld = {name: sdk.Omit() for name in unsent if strangers or name == "Authorization"}
        return Client(sdk, client, {"Accept-Encoding": "identity", **withheld})

    def _connected(self, *, strangers: bool) -> Any:
        """The connections of the operator's agents, or of those that came by the API with an address of their own."""
        import httpx2  # noqa: PLC0415 - comes with the extras

        from app.runners.llm.transport import Connections  # noqa: PLC0415

        # A thread goes on when the `get` that began it is cancelled, which frees the other lock.
        with self._connecting:
            if strangers not in self._connections:
                self._connections[strangers] = httpx2.AsyncClient(
                    transport=Connections(strangers=strangers, private=self._allow_private, limit=self._limit),
                    # A redirect could lead a key elsewhere.
                    follow_redirects=False,
                    trust_env=False,
                )
            return self._connections[strangers]


def _keys(provider: str, key: str | None) -> tuple[dict[str, str], set[str]]:
    """The headers that carry the key, and those that could but do not: else the environment's would go there."""
    names = {"Authorization", "X-Api-Key"}
    sent = {} if key is None else {"Authorization": f"Bearer {key}"}
    if key is not None and provider == "anthropic":
        sent["X-Api-Key"] = key
    return sent, names - sent.keys()


def request_timeout(seconds: float) -> Any:
    """The timeout of one request: that long without a byte, and a few seconds to connect."""
    import httpx2  # noqa: PLC0415

    return httpx2.Timeout(seconds, connect=min(seconds, _CONNECT))


def _warm_up(provider: str, client: Any) -> None:
    """Load what these libraries load on first use: it takes longer than an event loop should stand still."""
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    _ = client.messages if provider == "anthropic" else client.chat.completions
    calc_price(Usage(input_tokens=1), "gpt-4o", provider_id="openai")
