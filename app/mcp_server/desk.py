"""What every handler of the MCP server works with: the service, the counts, and errors in the form that clients get."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from app.client import Backstitch, ClientError
from app.mcp_server.calling import Call, Refused
from app.mcp_server.hints import refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server.context import ServerRequestContext

    from app.mcp_server.counting import Calls

    Context = ServerRequestContext[Any, Any]

_FAULTS: Final = frozenset({"internal_error", "unreachable", "unavailable"})
_log: Final = logging.getLogger(__name__)


class Desk:
    """`base` gives the address at which the client of a request reaches the service."""

    def __init__(self, service: Backstitch, calls: Calls, base: Callable[[Any], str]) -> None:
        self.service = service
        self._calls = calls
        self._base = base

    async def counted(self, name: str, doing: Awaitable[Any]) -> Any:
        """What it gives; whatever goes wrong comes out as Refused, but for errors of the protocol."""
        outcome = "error"
        try:
            found = await doing
            outcome = "ok"
        except (ClientError, Refused) as error:
            found = refused(error)
            outcome = "error" if found.code in _FAULTS else "refused"
            raise found from None
        except MCPError:
            outcome = "refused"
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except Exception as error:  # noqa: BLE001 - a model is not told of our faults
            _log.exception("the MCP call %s has failed", name)
            raise Refused(
                "internal_error", f"an unexpected error ({type(error).__name__}); the log tells more"
            ) from None
        finally:
            self._calls.note(name, outcome)
        return found

    def call(self, ctx: Context) -> Call:
        """What a tool works with that this request calls."""
        call = Call(service=self.service, base=self._base(ctx.request))
        if "progress_token" in (ctx.meta or {}):
            call.report = ctx.session.report_progress
        return call

    async def asked(self, name: str, asking: Awaitable[Any]) -> Any:
        """What was asked for; errors as those of the protocol, since these requests have no others."""
        try:
            return await self.counted(name, asking)
        except Refused as error:
            data = {"code": error.code, **error.more}
            raise MCPError(INTERNAL_ERROR if error.code in _FAULTS else INVALID_PARAMS, error.detail, data) from None
