"""Databases of past formats: rows that older code has written are shown, driven on, rolled back, forked, verified, upgraded."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import pytest

from app.api.app import create_app
from app.bootstrap import open_services
from app.domain.state import FORMAT
from app.settings import load_settings
from tests.fixtures.formats import make

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

FOLDER = Path(make.__file__).parent
PAST = sorted(FOLDER.glob("format_*.sql"))
THREADS = ("old-asleep", "old-fork", "old-gate", "old-items", "old-long")


class Old:
    """A service of today on a database of yesterday."""

    def __init__(self, http: httpx.AsyncClient, sql: Any, services: Any) -> None:
        self._http, self.sql, self.services = http, sql, services

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self._http.get(f"/api/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, expect: int = 202, **body: Any) -> dict[str, Any]:
        answer = await self._http.post(f"/api/{path}", json=body)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def end(self, thread_id: str) -> dict[str, Any]:
        """The status of a thread once it has ended."""
        ended = "'completed', 'failed', 'interrupted'"
        await self.until(f"SELECT 1 FROM threads WHERE thread_id = '{thread_id}' AND status IN ({ended})")
        return await self.get(f"invoke/status/{thread_id}")

    async def wake(self) -> None:
        """The hour of old-asleep is over."""
        slept = "UPDATE workflow_steps SET started_at = now() - interval '2h' WHERE step_name = 'nap'"
        await self.sql.execute(f"{slept}; UPDATE threads SET wake_at = now() WHERE thread_id = 'old-asleep'")
        self.services.worker.hint()

    async def until(self, query: str) -> Any:
        """The row of a query, once there is one."""
        async with asyncio.timeout(60):
            while (row := await self.sql.fetchrow(query)) is None:  # noqa: ASYNC110 - what it waits for is in the database
                await asyncio.sleep(0.02)
        return row

    async def formats(self) -> dict[int, int]:
        rows = await self.sql.fetch("SELECT format, count(*) FROM checkpoints GROUP BY 1")
        return {row[0]: row[1] for row in rows}


@pytest.fixture(params=PAST, ids=lambda path: path.stem)
async def loaded(request: pytest.FixtureRequest, database_url: str) -> AsyncGenerator[tuple[str, Any]]:
    """A database with the rows of a past format, in which nothing is due."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as sql:
        await sql.execute(request.param.read_text(encoding="utf-8"))
        await sql.execute("UPDATE threads SET wake_at = now() + interval '1 day' WHERE wake_at IS NOT NULL")
        yield database_url, sql


@pytest.fixture
async def old(loaded: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Old]:
    async with _service(*loaded, monkeypatch) as service:
        yield service


@asynccontextmanager
async def _service(dsn: str, sql: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Old]:
    monkeypatch.setitem(make.FAULT, "item", None)
    monkeypatch.setitem(sys.modules, make.MODULE, make.functions())
    async with open_services(load_settings(database_url=dsn, modules=(make.MODULE,))) as services:

        @asynccontextmanager
        async def there() -> AsyncGenerator[Any]:
            yield services

        app = create_app(there)
        async with app.router.lifespan_context(app) as state:

            async def call(scope: Any, receive: Any, send: Any) -> None:
                await app({**scope, "state": dict(state or {})}, receive, send)

            async with httpx.AsyncClient(transport=httpx.ASGITransport(call), base_url="http://old") as http:
                yield Old(http, sql, services)


def test_every_past_format_has_its_rows() -> None:
    assert [path.stem for path in PAST] == [f"format_{number}" for number in range(1, FORMAT)]


async def test_they_are_shown_and_whole(old: Old) -> None:
    for thread_id in THREADS:
        assert (await old.get(f"invoke/verify/{thread_id}"))["valid"] is True
        page = await old.get(f"invoke/history/{thread_id}?limit=1000")
        assert [one["version"] for one in page["history"]] == list(range(1, page["head_version"] + 1))
    last = await old.get("invoke/history/old-long/33")
    assert last["state"]["context"]["tone"] == "warm"
    assert last["state"]["context"]["odd\u0000name"] == [1.5, None]
    assert last["state"]["steps"]["s15"] == {"output": {"n": 15}, "status": "completed"}
    first = await old.get("invoke/history/old-asleep/3")
    assert first["state"]["context"]["x"] == {"big": 12345678901234567890123, "zero": "\u0000"}


async def test_two_versions_and_two_executions_differ_as_they_did(old: Old) -> None:
    early, late = [await old.get(f"invoke/history/old-long/{version}") for version in (18, 33)]
    assert early["completed_steps"] == late["completed_steps"][: len(early["completed_steps"])]
    compared = await old.get("workflow/executions/compare?a=old-long&b=old-fork")
    assert compared["ancestor"] == {"thread_id": "old-long", "version": 5}
    told = {change["path"] for change in compared["context"]["patch"]}
    assert "/tone" in told


async def test_the_views_for_people_show_them(old: Old) -> None:
    query = (
        "SELECT backstitch_state('old-long', 33) -> 'context' ->> 'tone', state -> 'contextKeys' FROM workflow_states"
    )
    row = await old.sql.fetchrow(f"{query} WHERE workflow_id = 'old-long' AND version = 33")
    assert (row[0], "first" in row[1]) == ("warm", True)


async def test_what_slept_is_driven_on_with_new_versions_on_top_of_old_ones(old: Old) -> None:
    await old.wake()
    done = await old.end("old-asleep")
    assert (done["status"], done["version"]) == ("completed", 6)
    assert done["output"] == {
        "end": {"x": {"big": 12345678901234567890123, "zero": "\u0000"}, "two": done["output"]["end"]["x"]}
    }
    assert (await old.get("invoke/verify/old-asleep"))["valid"] is True
    rows = await old.sql.fetch("SELECT format FROM checkpoints WHERE thread_id = 'old-asleep' ORDER BY version")
    assert [row[0] for row in rows] == [*[rows[0][0]] * 3, *[FORMAT] * 3]


async def test_a_gate_that_was_asked_then_is_answered_now(old: Old) -> None:
    await old.post("invoke/gates/old-gate/approve", answer="yes")
    done = await old.end("old-gate")
    assert done["output"] == {"publish": {"what": {"draft": "caf\u00e9 \U0001f9f5"}, "how": "yes"}}


async def test_what_failed_is_resumed_without_doing_its_items_again(old: Old) -> None:
    await old.post("invoke/resume/old-items")
    done = await old.end("old-items")
    assert (done["status"], done["output"]) == ("completed", {"sum": [10, 20, 30, 40]})
    page = await old.get("workflow/items/old-items/each")
    assert [one["attempt"] for one in page["items"]][:2] == [1, 1]
    run = await old.sql.fetch("SELECT started_at FROM workflow_items WHERE thread_id = 'old-items' ORDER BY item")
    assert run[0][0] < run[2][0]


@pytest.mark.parametrize("version", [1, 7, 20])
async def test_it_is_rolled_back_to_a_start_a_delta_and_over_a_full_one(old: Old, version: int) -> None:
    await old.post("invoke/rollback/old-long", to_version=version)
    done = await old.end("old-long")
    assert (done["status"], done["output"]["first"]) == ("completed", {"text": "caf\u00e9 \U0001f9f5"})
    assert (await old.get("invoke/verify/old-long"))["valid"] is True


async def test_it_is_forked(old: Old) -> None:
    answer = await old.post("invoke/fork/old-long", version=12)
    done = await old.end(answer["forks"][0]["thread_id"])
    assert (done["status"], done["output"]["tone"]) == ("completed", "dry")


async def test_damage_in_an_old_row_is_found_and_healed(old: Old) -> None:
    damage = """UPDATE checkpoints SET manifest = '{"steps":{}}' WHERE thread_id = 'old-asleep' AND version = 3"""
    await old.sql.execute(damage)
    report = await old.get("invoke/verify/old-asleep")
    assert [(one["kind"], one["version"]) for one in report["findings"]] == [("checkpoint", 3)]
    await old.wake()
    await old.until("SELECT 1 FROM threads WHERE thread_id = 'old-asleep' AND head_version = 4")
    kept = await old.sql.fetchrow("SELECT version, stored FROM quarantine WHERE thread_id = 'old-asleep'")
    assert tuple(kept) == (3, '{"steps":{}}')


async def test_all_are_upgraded_in_bulk_and_say_the_same_as_before(old: Old) -> None:
    before = {name: await old.get(f"invoke/history/{name}?limit=1000") for name in THREADS}
    states = [await old.get(f"invoke/history/old-long/{version}") for version in (1, 12, 33)]
    [(past, versions)] = (await old.formats()).items()
    dry = await old.post("workflow/state/upgrade", 200, dry_run=True, limit=1000)
    assert (dry["upgraded"], await old.formats()) == (versions, {past: versions})
    sums, cursor = 0, {}
    while cursor is not None:
        page = await old.post("workflow/state/upgrade", 200, limit=7, **cursor)
        sums, cursor = sums + page["upgraded"], {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    assert (sums, await old.formats()) == (versions, {FORMAT: versions})
    assert {name: await old.get(f"invoke/history/{name}?limit=1000") for name in THREADS} == before
    assert [await old.get(f"invoke/history/old-long/{version}") for version in (1, 12, 33)] == states
    assert all([(await old.get(f"invoke/verify/{name}"))["valid"] for name in THREADS])
    by_psql = "SELECT count(*) FROM checkpoints WHERE sha256 <> sha256(convert_to(manifest::text, 'UTF8'))"
    assert await old.sql.fetchval(by_psql) == 0


async def test_an_upgrade_while_they_run_disturbs_nobody(old: Old) -> None:
    await old.wake()
    running = [old.end("old-asleep"), old.post("workflow/state/upgrade", 200, limit=1000)]
    await old.post("invoke/rollback/old-long", to_version=7)
    done, _, again = await asyncio.gather(*running, old.end("old-long"))
    assert (done["status"], again["status"]) == ("completed", "completed")
    assert (await old.get("invoke/verify/old-long"))["valid"] is True


async def test_a_thread_that_a_later_release_has_written_is_left_to_it(old: Old) -> None:
    later = "UPDATE checkpoints SET format = 9, manifest = '{}' WHERE thread_id = 'old-asleep' AND version = 3"
    await old.sql.execute(later)
    epoch = await old.sql.fetchval("SELECT epoch FROM threads WHERE thread_id = 'old-asleep'")
    await old.wake()
    row = await old.until(
        f"SELECT * FROM threads WHERE thread_id = 'old-asleep' AND epoch > {epoch + 1} AND incarnation_id IS NULL"
    )
    assert (row["status"], row["head_version"]) == ("waiting", 3)
    assert await old.sql.fetchval("SELECT wake_at > now() FROM threads WHERE thread_id = 'old-asleep'")
    assert await old.sql.fetchval("SELECT count(*) FROM quarantine") == 0
    for path in ("invoke/resume/old-asleep", "invoke/repair/old-asleep"):
        await old.sql.execute("UPDATE threads SET status = 'failed', wake_at = NULL WHERE thread_id = 'old-asleep'")
        assert (await old.post(path, 409))["code"] == "format_unknown"
    report = await old.get("invoke/verify/old-asleep")
    assert [(one["kind"], one["version"]) for one in report["findings"]] == [("format", 3)]
    assert (await old.get("invoke/status/old-asleep"))["version"] == 3
