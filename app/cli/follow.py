"""Follows one thread to its end and shows it: live in a terminal, as plain lines in a pipe, as JSON for programs."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.live import Live

from app.cli.options import DEFAULT_URL
from app.cli.progress import Progress, plain
from app.cli.remarks import Hints
from app.cli.rendering import console, print_json, program, remark, say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from app.client import Backstitch, Event

    Observer = Callable[[Event], Awaitable[None]]

_UNSAID: Final = frozenset({"snapshot", "step_chunk"})


async def follow(
    service: Backstitch,
    thread: str,
    *,
    after: int = 0,
    as_json: bool = False,
    quiet: bool = False,
    observer: Observer | None = None,
) -> str:
    """Show the thread's events after `after` until it has ended; its status at the end.

    `observer` is awaited with each event after it was shown. Raises ApiError and UnreachableError as the stream does.
    """
    from app.client import ENDINGS, ClientError  # noqa: PLC0415 - import time of --help

    hints = Hints(thread, None if service.url == DEFAULT_URL else service.url)
    display = _Display(hints, as_json=as_json, quiet=quiet)
    status = ""
    try:
        with display.open():
            async with aclosing(service.stream(thread, after=after, on_cut=display.cut)) as events:
                async for event in events:
                    display.show(event)
                    status = ENDINGS.get(event.name, status)
                    if display.progress.stale:
                        with suppress(ClientError):
                            display.progress.take(await service.status(thread))
                    if observer is not None:
                        await observer(event)
    except asyncio.CancelledError:
        remark(f"the workflow goes on; watch it again with: {watch_again(service, thread)}")
        raise
    return status or str((await service.status(thread))["status"])


def watch_again(service: Backstitch, thread: str) -> str:
    """The command that follows `thread` again."""
    where = "" if service.url == DEFAULT_URL else f" --url {service.url}"
    return f"{program()} watch {thread}{where}"


def ended_well(document: Mapping[str, Any]) -> bool:
    """Whether a status document tells of success."""
    return document["status"] == "completed"


class _Display:
    """Where events go. In a terminal the steps are drawn over and over, else each event is a line once."""

    def __init__(self, hints: Hints, *, as_json: bool, quiet: bool) -> None:
        self.progress = Progress()
        self._hints = hints
        self._json = as_json
        self._quiet = quiet
        self._console = console()
        self._live = not as_json and not quiet and self._console.is_terminal and not self._console.is_dumb_terminal

    @contextmanager
    def open(self) -> Generator[None]:
        if not self._live:
            yield
            return
        # stderr must stay stderr where it does not share the terminal
        with Live(
            console=self._console, get_renderable=self._draw, refresh_per_second=8, redirect_stderr=sys.stderr.isatty()
        ):
            yield

    def _draw(self) -> Group:
        return self.progress.draw(self._console.height, self._hints.lines)

    def show(self, event: Event) -> None:
        self.progress.outage = ""
        fresh = event.name == "snapshot" or (event.seq is not None and event.seq > self.progress.seen)
        asked = self._hints.take(event) if fresh else []
        self.progress.apply(event)
        if event.name == "gap":
            remark("gap: events before this one are no longer kept")
        if not (self._json or self._quiet or self._live):
            for hint in asked:
                remark(hint)
        if self._quiet or self._live or event.name in _UNSAID:
            return
        if self._json:
            print_json(event.body, line=True)
        elif event.seq is not None:
            agents = {line.id: line.agent for line in self.progress.steps.values()}
            say(plain(event, agents))

    def cut(self, reason: str) -> None:
        self.progress.outage = f"reconnecting ({reason})"
        if not (self._live and sys.stderr.isatty()):
            remark(self.progress.outage)
