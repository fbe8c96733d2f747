"""Settings while the service runs: .env is followed, what does not hold is refused, what was set over the API is kept."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from app.bootstrap import config as module
from app.bootstrap.config import RELOADABLE, LiveSettings
from app.domain.checkpoints import CheckpointPolicy, Frequency
from app.domain.errors import Unavailable
from app.settings import Settings, load_settings
from app.store.memory_config import MemoryConfig

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


@pytest.fixture(autouse=True)
def _a_bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "LOOK_EVERY", 0.005)


def say(text: str) -> None:
    """Write .env as an editor does."""
    Path("new").write_text(text, encoding="utf-8")
    Path("new").rename(".env")


@asynccontextmanager
async def live(store: MemoryConfig | None = None, **given: Any) -> AsyncGenerator[LiveSettings]:
    settings = LiveSettings(load_settings(**given), store or MemoryConfig())
    await settings.open()
    task = asyncio.create_task(settings.run())
    try:
        yield settings
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what it waits for is no event of ours
            await asyncio.sleep(0.002)


async def test_a_change_of_the_file_takes_effect_and_is_written_down() -> None:
    say("QUEUE_LIMIT=3\n")
    async with live() as settings:
        followed: list[int] = []
        settings.follow(lambda now: followed.append(now.queue_limit))
        say("QUEUE_LIMIT=4\n")
        await until(lambda: settings.now.queue_limit == 4)
        [change] = await settings.changes(None, 10)
        assert (change.name, change.old, change.new, change.source) == ("queue_limit", 3, 4, "file")
        assert followed == [3, 4]
        Path(".env").unlink()  # noqa: ASYNC240 - a test
        await until(lambda: settings.now.queue_limit == 5)


async def test_a_bad_file_is_refused_as_a_whole_and_what_was_before_stays(caplog: pytest.LogCaptureFixture) -> None:
    async with live() as settings:
        say("QUEUE_LIMIT=4\nBREAKER_FAILURES=many\n")
        await until(lambda: "BREAKER_FAILURES" in caplog.text)
        assert settings.now.queue_limit == 5
        say("QUEUE_LIMIT=4\nBREAKER_FAILURES=7\n")
        await until(lambda: settings.now.breaker_failures == 7)


async def test_what_takes_a_restart_is_told_of_and_left(caplog: pytest.LogCaptureFixture) -> None:
    async with live() as settings:
        say("PORT=1234\nQUEUE_LIMIT=4\n")
        await until(lambda: settings.now.queue_limit == 4)
        assert settings.now.port == 8000
        assert "taken up by a restart only: PORT" in caplog.text
        await settings.change({"queue_limit": 6}, None)
        assert settings.now.port == 8000


async def test_the_environment_and_the_command_line_go_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_LIMIT", "8")
    async with live(log_level="error") as settings:
        say("QUEUE_LIMIT=4\nLOG_LEVEL=debug\nBREAKER_FAILURES=7\n")
        await until(lambda: settings.now.breaker_failures == 7)
        shown = {one.name: (one.value, one.source) for one in settings.shown()}
    assert shown["queue_limit"] == (8, "environment")
    assert shown["log_level"] == ("error", "command_line")
    assert shown["breaker_failures"] == (7, "file")


async def test_what_was_set_over_the_api_outlives_the_process_and_goes_before_the_file() -> None:
    store = MemoryConfig()
    async with live(store) as settings:
        await settings.change({"queue_limit": 9}, "me")
    say("QUEUE_LIMIT=4\nBREAKER_FAILURES=7\n")
    async with live(store) as settings:
        assert (settings.now.queue_limit, settings.now.breaker_failures) == (9, 7)
        await settings.drop("queue_limit", "me")
        assert settings.now.queue_limit == 4


async def test_what_one_process_is_told_all_take_up() -> None:
    store = MemoryConfig()
    async with live(store) as one, live(store) as other:
        followed: list[int] = []
        other.follow(lambda now: followed.append(now.queue_limit))
        await one.change({"queue_limit": 9}, None)
        await until(lambda: other.now.queue_limit == 9)
        await one.drop("queue_limit", None)
        await until(lambda: other.now.queue_limit == 5)
        assert followed == [5, 9, 5]
        assert len(await store.changes(None, 10)) == 2


class Slow(MemoryConfig):
    """Counts how often it is looked at, and is away while `away`."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.away = False

    async def overrides(self) -> dict[str, Any]:
        self.looks += 1
        return await super().overrides()

    async def put(self, *what: Any) -> None:
        if self.away:
            raise Unavailable("no database")
        await super().put(*what)


async def test_what_is_stored_and_does_not_hold_is_left_out_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    store = Slow()
    await store.put({"queue_limit": 0, "breaker_failures": 3, "port": 1, "of_a_later_release": 1}, [], [])
    async with live(store) as settings:
        await until(lambda: store.looks > 3)
        assert (settings.now.queue_limit, settings.now.breaker_failures, settings.now.port) == (5, 3, 8000)
        assert caplog.text.count("does not hold here") == 1
        assert await settings.drop("queue_limit", None) == []
    assert (await store.overrides()).keys() == {"breaker_failures", "port", "of_a_later_release"}


async def test_what_holds_together_only_is_taken_up_together_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKPOINT_FREQUENCY", "time_based")
    monkeypatch.setenv("CHECKPOINT_INTERVAL", "0.5")
    store, wanted = MemoryConfig(), CheckpointPolicy(Frequency.EVERY_N_STEPS, 5)
    async with live(store) as settings:
        await settings.change({"checkpoint_frequency": "every_n_steps", "checkpoint_interval": 5}, None)
        assert settings.now.checkpoints == wanted
    await store.put({"queue_limit": 0}, [], [])
    async with live(store) as settings:
        assert (settings.now.checkpoints, settings.now.queue_limit) == (wanted, 5)


async def test_a_file_that_cannot_be_read_keeps_nobody_from_setting_something() -> None:
    store = MemoryConfig()
    async with live(store) as one, live(store) as other:
        Path(".env").write_bytes(b"QUEUE_LIMIT=\xff\n")  # noqa: ASYNC240 - a test
        await one.change({"queue_limit": 9}, None)
        await until(lambda: other.now.queue_limit == 9)


async def test_what_another_process_has_set_just_now_is_known_to_who_changes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 3600.0)
    store = MemoryConfig()
    async with live(store) as one, live(store) as other:
        await one.change({"queue_limit": 9}, None)
        assert [(each.old, each.new) for each in await other.change({"queue_limit": 5}, None)] == [(9, 5)]
        assert [each.new for each in await one.change({"queue_limit": 7}, None)] == [7]
        assert [(each.old, each.new) for each in await other.drop("queue_limit", None)] == [(7, 5)]


async def test_a_change_of_the_file_while_the_store_is_away_is_written_down_once_it_is_back() -> None:
    store = Slow()
    async with live(store) as settings:
        store.away = True
        say("QUEUE_LIMIT=4\n")
        await until(lambda: settings.now.queue_limit == 4)
        assert await store.changes(None, 10) == []
        store.away = False
        looks = store.looks
        await until(lambda: store.looks > looks + 2)
        assert [(each.name, each.new) for each in await store.changes(None, 10)] == [("queue_limit", 4)]


async def test_a_hint_makes_the_file_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 3600.0)
    async with live() as settings:
        say("QUEUE_LIMIT=4\n")
        settings.hint()
        await until(lambda: settings.now.queue_limit == 4)


def test_only_settings_that_take_effect_at_once_can_be_changed() -> None:
    assert Settings.model_fields.keys() > RELOADABLE
    assert not RELOADABLE & {"host", "port", "database_url", "lease_seconds", "checkpointer", "checkpoint_enabled"}
