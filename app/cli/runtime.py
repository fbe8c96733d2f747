"""Runs one action against the service and turns whatever goes wrong into one line and an exit code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from app.cli.options import Common
from app.cli.rendering import complain, told
from app.client import ApiError, Backstitch, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

O = TypeVar("O", bound=Common)  # noqa: E741

INTERRUPTED = 130
REFUSED = 1
UNREACHABLE = 3


def run(action: Callable[[Backstitch, O], Coroutine[None, None, int]], o: O) -> int:
    """The exit code of `action`: its own, 1 when the service refuses, 3 when it is not there, 130 after Ctrl-C."""

    async def connected() -> int:
        async with Backstitch(o.service, retry_for=0) as service:
            return await action(service, o)

    try:
        return asyncio.run(connected())
    except KeyboardInterrupt:
        return INTERRUPTED
    except ApiError as error:
        complain(told(error.problem, error.status))
        return REFUSED
    except UnreachableError as error:
        complain(f"nothing answers at {o.service} ({error}): start it with `backstitch serve`, or name it with --url")
        return UNREACHABLE
