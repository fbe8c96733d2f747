"""The settings as they are now: those of the start, changed by what .env says meanwhile and by what was set over the API.

What is set over the API is kept in the database, goes before all else and holds for every process on it.  A change that does
not hold is refused as a whole, and what was before stays.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain.config import ConfigChange, ShownSetting
from app.domain.errors import InvalidRequest, NotFound, Problem, Unavailable
from app.domain.ids import uuid7
from app.domain.times import utc_now
from app.env_file import SettingsError, file_state
from app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from app.domain.config import ConfigStore

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at .env and at what other processes have set."""
MASK: Final = "***"
RELOADABLE: Final = frozenset(
    name
    for name in Settings.model_fields
    if name.startswith(("checkpoint_f", "checkpoint_i", "retention_", "breaker_"))
) | {"log_level", "agent_disable_after", "queue_limit", "queue_max_depth", "max_concurrent_threads"}
"""Those that take effect at once when they are changed while the service runs; all others take a restart."""
SECRET: Final = frozenset(name for name, field in Settings.model_fields.items() if not field.repr)
"""Those whose values nobody is shown."""
_NO_SWITCH: Final = "should not be true or false"
_log = logging.getLogger(__name__)


class LiveSettings:
    """One for the process; `now` are the settings that hold, `at_start` those that it was given."""

    def __init__(self, settings: Settings, store: ConfigStore) -> None:
        self.now = self.at_start = settings
        self._base = settings
        self._store = store
        self._overrides: dict[str, Any] = {}
        self._stored: dict[str, Any] = {}
        """What is set in the store; the overrides are those of them that hold here."""
        self._unwritten: list[ConfigChange] = []
        self._followers: list[Callable[[Settings], None]] = []
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._file = file_state()

    async def open(self) -> None:
        """Take over what was set over the API before.  Raises Unavailable."""
        self._take_over(await self._store.overrides())

    def follow(self, follower: Callable[[Settings], None]) -> None:
        """Call `follower` now and whenever settings have changed."""
        self._followers.append(follower)
        follower(self.now)

    def hint(self) -> None:
        """Look at .env at once, changed or not."""
        self._file = ()
        self._wake.set()

    # ---- for people
    def shown(self) -> list[ShownSetting]:
        """All settings as they are now, by name."""
        values = self.now.model_dump(mode="json")
        return [
            ShownSetting(
                name=name,
                value=MASK if name in SECRET and values[name] is not None else values[name],
                source="api" if name in self._overrides else self._base.source(name),
                reloadable=name in RELOADABLE,
            )
            for name in sorted(values)
        ]

    async def change(self, values: Mapping[str, Any], by: str | None) -> list[ConfigChange]:
        """Set some of the reloadable ones, all of them or none; what that changed.  Raises InvalidRequest, Unavailable."""
        problems = [Problem(_pointer(name), _why_not(name)) for name in values if name not in RELOADABLE]
        problems += [Problem(_pointer(name), _NO_SWITCH) for name, value in values.items() if _is_bool(value)]
        if problems:
            raise InvalidRequest(f"{problems[0].pointer}: {problems[0].message}", problems=problems)
        async with self._turn:
            self._take_over(await self._store.overrides())  # what another process has set just now
            overrides = {**self._overrides, **values}
            after = self._with(overrides)
            plain = after.model_dump(mode="json")
            overrides = {name: plain[name] for name in overrides}
            changes = _changes(self.now, after, "api", by)
            told = {name: plain[name] for name in values}
            await self._store.put(told, [], changes)
            self._stored = {**self._stored, **told}
            self._apply(after, overrides, changes)
        return changes

    async def drop(self, name: str, by: str | None) -> list[ConfigChange]:
        """Take back what was set over the API.  Raises NotFound, InvalidRequest, Unavailable."""
        async with self._turn:
            self._take_over(await self._store.overrides())
            if name not in self._stored:
                raise NotFound(f"{name[:100]!r} is not set over the API", code="setting_not_found")
            overrides = {each: value for each, value in self._overrides.items() if each != name}
            after = self._with(overrides)
            changes = _changes(self.now, after, "api", by)
            await self._store.put({}, [name], changes)
            self._stored = {each: value for each, value in self._stored.items() if each != name}
            self._apply(after, overrides, changes)
        return changes

    async def changes(self, before: tuple[datetime, str] | None, limit: int) -> list[ConfigChange]:
        """What has changed, newest first.  Raises Unavailable."""
        return await self._store.changes(before, limit)

    # ---- what others change
    async def run(self) -> None:
        """Look at .env and at the store again and again, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                async with self._turn:
                    await self._look_at_file()
                    await self._write()
                    self._take_over(await self._store.overrides())
            except Unavailable as error:
                _log.debug("settings wait for the store: %s", error)
            except Exception:  # noqa: BLE001 - a fault here must not take the service down
                _log.exception("settings could not be looked at")

    async def _look_at_file(self) -> None:
        state = await asyncio.to_thread(file_state)
        if state == self._file:
            return
        self._file = state
        try:
            fresh = await asyncio.to_thread(self._base.again)
            base = self._base.model_copy(update={name: getattr(fresh, name) for name in RELOADABLE})
            after = base.changed(self._overrides)
        except SettingsError as error:
            _log.error("the changed .env is refused, what it said before stays: %s", error)
            return
        late = [name.upper() for name in Settings.model_fields if getattr(fresh, name) != getattr(base, name)]
        if late:
            _log.warning("changed in .env, and taken up by a restart only: %s", ", ".join(late))
        self._base = base
        changes = _changes(self.now, after, "file", None)
        self._apply(after, self._overrides, changes)
        self._unwritten += changes
        self._stored = dict(self._overrides)  # what did not hold may do so now

    async def _write(self) -> None:
        """Write down what the file has changed, once the store is there."""
        if self._unwritten:
            await self._store.put({}, [], self._unwritten)
            self._unwritten = []

    def _take_over(self, stored: dict[str, Any]) -> None:
        """What is set in the store by now; what does not hold here is left out, and told of once."""
        if stored == self._stored:
            return
        overrides = self._holding({name: value for name, value in stored.items() if name in RELOADABLE})
        after = self._base.changed(overrides)
        self._stored = stored
        self._apply(after, overrides, _changes(self.now, after, "api", None))

    def _holding(self, found: dict[str, Any]) -> dict[str, Any]:
        """All of them if they hold together; else without those that are wrong by themselves, or as many as hold by name."""
        error = self._fault(found)
        if error is None:
            return found
        wrong = {problem.pointer.split("/")[1] for problem in error.problems if problem.pointer} & found.keys()
        if wrong:
            _log.error("what was set over the API does not hold here and is left out: %s", error)
            return self._holding({name: value for name, value in found.items() if name not in wrong})
        held: dict[str, Any] = {}
        for name, value in found.items():
            error = self._fault({**held, name: value})
            if error is None:
                held[name] = value
            else:
                _log.error("what was set over the API does not hold here and is left out: %s", error)
        return held

    def _fault(self, overrides: Mapping[str, Any]) -> SettingsError | None:
        try:
            self._base.changed(overrides)
        except SettingsError as error:
            return error
        return None

    def _with(self, overrides: Mapping[str, Any]) -> Settings:
        try:
            return self._base.changed(overrides)
        except SettingsError as error:
            problems = list(error.problems) or [Problem("", error.message)]
            raise InvalidRequest(f"{problems[0].pointer}: {problems[0].message}", problems=problems) from None

    def _apply(self, after: Settings, overrides: dict[str, Any], changes: Iterable[ConfigChange]) -> None:
        self._overrides, self.now = overrides, after
        told = [f"{one.name}: {one.old} -> {one.new}" for one in changes]
        if not told:
            return
        _log.info("settings have changed: %s", "; ".join(told))
        for follower in self._followers:
            follower(after)


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _why_not(name: str) -> str:
    return "takes a restart to change" if name in Settings.model_fields else "no such setting"


def _is_bool(value: Any) -> bool:
    """None of them is a switch, and as a number true would be 1."""
    inner = cast("dict[str, Any]", value).values() if isinstance(value, dict) else ()
    return isinstance(value, bool) or any(isinstance(each, bool) for each in inner)


def _changes(before: Settings, after: Settings, source: str, by: str | None) -> list[ConfigChange]:
    old, new, at = before.model_dump(mode="json"), after.model_dump(mode="json"), utc_now()
    return [
        ConfigChange(id=uuid7(), at=at, name=name, old=old[name], new=new[name], source=source, by=by)
        for name in sorted(RELOADABLE)
        if old[name] != new[name]
    ]
