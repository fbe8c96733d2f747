"""Agents in files: a folder of YAML and JSON documents, one an agent, whose changes take effect as they are made.

The folder is looked at every second.  A file that is new or changed is checked and registered, one that is gone takes its
agent away; one that does not hold is refused, told of, and what it said before stays.
"""

from __future__ import annotations

import asyncio
import logging
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.domain import document_text
from app.domain.errors import Conflict, InvalidAgent, InvalidWorkflow, Problem, StartupError, Unavailable
from app.engine.pulse import Pulse

if TYPE_CHECKING:
    from pathlib import Path

    from app.domain.agents import Agent
    from app.engine.agents import Directory

LOOK_EVERY: Final = 1.0
"""Seconds between two looks."""
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
_UNREADABLE: Final = (-1,)
_NO_OBJECT: Final = "an agent is an object with name and kind"
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _File:
    """A file as it was last read: what it said when it last held, and what is wrong with it now.

    `waits`: what it says holds, and its name belongs to another.
    """

    state: tuple[int, ...]
    agent: Agent | None = None
    refused: list[Problem] = field(default_factory=list[Problem])
    waits: bool = False

    def holds(self, name: str) -> bool:
        """Whether that agent is registered by it."""
        return self.agent is not None and self.agent.name == name and not self.waits


class AgentFolder:
    """The files in one folder, not those in folders below it; names that begin with a dot are passed over."""

    def __init__(self, folder: Path, directory: Directory) -> None:
        self._folder = folder
        self._directory = directory
        self._files: dict[str, _File] = {}
        self._gone: set[str] = set()
        self._unreadable = ""
        self.pulse = Pulse(LOOK_EVERY)
        directory.in_files = lambda name: self._holder(name) is not None

    def problems(self) -> list[tuple[str, list[Problem]]]:
        """The files that are refused, each with what is wrong with it."""
        whole = [(str(self._folder), [Problem("", self._unreadable)])] if self._unreadable else []
        return whole + [(name, file.refused) for name, file in sorted(self._files.items()) if file.refused]

    async def open(self) -> None:
        """The first look: agents whose files have gone while no process was there go too.

        Raises StartupError for a folder that cannot be read, Unavailable.
        """
        await self._look()
        if self._unreadable:
            raise StartupError(f"AGENTS_DIR cannot be read: {self._unreadable}: {self._folder}")
        for record in self._directory.records():
            name, file = record.agent.name, self._files.get(record.origin or "")
            if record.agent.source == "file" and (file is None or not (file.agent is None or file.holds(name))):
                await self._directory.drop(name, record.origin or "")

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.pulse.beat()
            try:
                await self._look()
            except Unavailable as error:
                _log.debug("files of agents wait until the store is back: %s", error)
            except Exception:  # noqa: BLE001 - a fault here must not take the service down
                _log.exception("the files of agents could not be looked at")

    async def _look(self) -> None:
        known = {name: file.state for name, file in self._files.items()}
        try:
            changed, self._gone = await asyncio.to_thread(_read, self._folder, known)
        except OSError as error:  # the whole folder: nothing says that the agents are to go
            self._note_unreadable(error.strerror or str(error))
            return
        self._unreadable = ""
        for name in sorted(changed):
            await self._take(name, *changed[name])
        for name in sorted(self._gone):
            for agent in self._of(name):
                if self._holder(agent) is None:
                    await self._directory.drop(agent, name)
            del self._files[name]
        await self._restore()

    async def _take(self, name: str, state: tuple[int, ...], text: bytes | str) -> None:
        """What a file says now; text that is no bytes is why it cannot be read."""
        before = self._files.get(name)
        held = before.agent if before is not None else None
        file = _File(state, held)
        try:
            agent = await self._parsed(text)
            await self._register(agent, name, file)
        except InvalidAgent as error:
            file.refused = error.problems
            _log.error("the file of an agent, %s, is refused, what it said before stays: %s", name, error.message)
        else:
            if held is not None and held.name != agent.name:
                await self._directory.drop(held.name, name)
        self._files[name] = file

    async def _register(self, agent: Agent, name: str, file: _File) -> None:
        """Register what a file says, or let it wait for a name that is taken.  Raises InvalidAgent, Unavailable."""
        file.agent = agent
        holder, taken = self._holder(agent.name), ""
        if holder not in (None, name):
            taken = f"agent {agent.name} stands in {holder} already"
        else:
            try:
                await self._directory.register(agent, origin=name)
            except Conflict as error:
                taken = error.message
        file.waits = bool(taken)
        file.refused = [Problem("/name", taken)] if taken else []
        if taken:
            _log.error("the file of an agent, %s, is refused: %s", name, taken)

    async def _restore(self) -> None:
        """Register what somebody has taken away though it stands here, and what waited for a name that is free now."""
        for name, file in self._files.items():
            if file.agent is not None and self._directory.record(file.agent.name) is None:
                refused = [] if file.waits else file.refused
                await self._register(file.agent, name, file)
                file.refused = file.refused or refused

    async def _parsed(self, text: bytes | str) -> Agent:
        if isinstance(text, str):
            raise InvalidAgent([Problem("", text)])
        try:
            value = await asyncio.to_thread(document_text.load, text, no_object=_NO_OBJECT)
        except InvalidWorkflow as error:
            raise InvalidAgent(error.problems) from error
        return self._directory.read(value, source="file")

    def _of(self, file: str) -> list[str]:
        """The agents that are stored as those of a file, which may be from before this process."""
        records = self._directory.records()
        return [one.agent.name for one in records if (one.agent.source, one.origin) == ("file", file)]

    def _holder(self, agent: str) -> str | None:
        """The file that has registered an agent, and is still there."""
        return next((name for name, file in self._files.items() if name not in self._gone and file.holds(agent)), None)

    def _note_unreadable(self, reason: str) -> None:
        if reason != self._unreadable:
            _log.error("the folder of agents cannot be read, what it said stays: %s: %s", reason, self._folder)
        self._unreadable = reason


def _read(folder: Path, known: dict[str, tuple[int, ...]]) -> tuple[dict[str, Any], set[str]]:
    """The files that are not as they are known to be: (state, bytes or why they cannot be read); and those that are gone.

    Raises OSError for the folder.
    """
    changed: dict[str, Any] = {}
    names: set[str] = set()
    for path in folder.iterdir():
        if path.suffix.lower() not in _SUFFIXES or path.name.startswith("."):
            continue
        try:
            told = path.stat()
            if not stat.S_ISREG(told.st_mode):  # a pipe would be waited for for ever
                continue
            state = (told.st_mtime_ns, told.st_ctime_ns, told.st_size, told.st_ino)
            if known.get(path.name) != state:
                changed[path.name] = (state, path.read_bytes())
        except FileNotFoundError:
            continue
        except OSError as error:
            if known.get(path.name) != _UNREADABLE:
                changed[path.name] = (_UNREADABLE, f"cannot be read: {error.strerror}")
        names.add(path.name)
    return changed, known.keys() - names
