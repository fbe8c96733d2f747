"""Damaged state over HTTP: what still answers, what says state_corrupt, verifying and repairing."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.bootstrap import open_services
from app.settings import load_settings
from tests.api.shared import app_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

DOCUMENT = {
    "name": "nap",
    "steps": [
        {"id": "short", "sleep": "1ms", "assign": "x"},
        {"id": "next", "sleep": "1ms"},
        {"id": "long", "sleep": "1h"},
    ],
}


class House:
    """A service on the memory store, and ways to damage what it keeps."""

    def __init__(self, client: httpx.AsyncClient, tables: Any) -> None:
        self.client, self.tables = client, tables
        self.thread = ""

    async def run(self) -> None:
        """A thread that waits in its third step at version 3."""
        answer = await self.client.post("/api/invoke/async", json={"workflow": DOCUMENT, "input": {"n": 1}})
        self.thread = answer.json()["thread_id"]
        while (await self.status())["status"] != "waiting":
            pass

    async def status(self) -> dict[str, Any]:
        answer = await self.client.get(f"/api/invoke/status/{self.thread}")
        assert answer.status_code == 200
        return answer.json()

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(f"/api/invoke/{path.format(self.thread)}")

    async def post(self, action: str) -> httpx.Response:
        return await self.client.post(f"/api/invoke/{action}/{self.thread}")

    def damage_version(self, version: int) -> None:
        self.tables.checkpoints[self.thread][version - 1].manifest = '{"steps":{}}'

    def damage_output(self, step: str) -> None:
        next(one for one in self.tables.runs[self.thread].values() if one.step_id == step).output = "7"


@asynccontextmanager
async def opened() -> AsyncGenerator[House]:
    async with open_services(load_settings(checkpointer="memory")) as services:
        app = app_of(services)
        async with app.router.lifespan_context(app) as state:
            app.state.lifespan = state
            transport = httpx.ASGITransport(app=_with(app, state), raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                house = House(client, services.reads._tables)  # pyright: ignore[reportAttributeAccessIssue]
                await house.run()
                yield house


def _with(app: Any, state: Any) -> Any:
    async def call(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    return call


async def test_a_sound_thread_is_valid() -> None:
    async with opened() as house:
        found = (await house.get("verify/{}")).json()
        assert (found["valid"], found["head_valid"], found["findings"]) == (True, True, [])
        assert found["versions"] == {"checked": 3, "valid": [1, 2, 3]}


@pytest.mark.parametrize("version", [1, 2, 3])
async def test_status_and_history_still_answer_for_a_thread_whose_manifests_are_damaged(version: int) -> None:
    async with opened() as house:
        house.damage_version(version)
        assert (await house.status())["status"] == "waiting"
        answer = await house.get("history/{}")
        assert [one["version"] for one in answer.json()["history"]] == [1, 2, 3]


async def test_history_still_answers_when_a_version_is_gone() -> None:
    async with opened() as house:
        del house.tables.checkpoints[house.thread][1]
        assert [one["version"] for one in (await house.get("history/{}")).json()["history"]] == [1, 3]
        assert (await house.status())["version"] == 3


async def test_a_state_that_cannot_be_read_whole_says_what_is_wrong_and_how_to_repair() -> None:
    async with opened() as house:
        house.damage_output("short")
        assert (await house.get("history/{}/1")).status_code == 200
        answer = await house.get("history/{}/2")
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "state_corrupt")
        assert problem["findings"][0]["step_id"] == "short"
        assert f"POST /api/invoke/repair/{house.thread}" in problem["repair"]


async def test_verify_names_the_damage_and_repair_puts_it_aside() -> None:
    async with opened() as house:
        house.damage_version(3)
        found = (await house.get("verify/{}")).json()
        assert (found["valid"], found["head_valid"], found["versions"]["valid"]) == (False, False, [1, 2])
        assert [(one["kind"], one["quarantined"]) for one in found["findings"]] == [("checkpoint", False)]
        answer = await house.post("repair")
        done = answer.json()
        assert (answer.status_code, done["repaired"], done["from_version"], done["to_version"]) == (200, True, 3, 2)
        assert done["reruns"] == ["next"]
        after = (await house.get("verify/{}")).json()
        assert [one["stored"] for one in after["quarantined"]] == ['{"steps":{}}']
        assert after["findings"][0]["quarantined"] is True


async def test_repairing_twice_does_nothing_more() -> None:
    async with opened() as house:
        await house.post("cancel")
        house.damage_output("next")
        assert (await house.post("repair")).json()["repaired"] is True
        again = (await house.post("repair")).json()
        assert (again["repaired"], again["status"], again["to_version"]) == (False, "cancelled", 3)


@pytest.mark.parametrize("action", ["verify", "repair"])
async def test_an_unknown_thread_is_a_404(action: str) -> None:
    async with opened() as house:
        house.thread = "unknown"
        answer = await (house.get("verify/{}") if action == "verify" else house.post("repair"))
        assert answer.json()["code"] == "thread_not_found"


async def test_a_thread_whose_execution_row_is_gone_still_has_a_status() -> None:
    async with opened() as house:
        thread = house.tables.threads[house.thread]
        del house.tables.executions[thread.execution_id]
        found = await house.status()
        assert (found["status"], found["workflow"], found["kind"]) == ("waiting", "nap", "unknown")
        assert found["error"]["message"] == f"the row of execution {thread.execution_id} is gone"
        report = (await house.get("verify/{}")).json()
        assert [one["problem"] for one in report["findings"]] == ["the row of the execution is gone"]


async def test_verify_tells_of_events_that_are_gone_and_repair_remembers_it() -> None:
    async with opened() as house:
        del house.tables.events[house.thread][1]
        found = (await house.get("verify/{}")).json()
        assert (found["valid"], found["head_valid"]) == (False, True)
        assert [(one["kind"], one["problem"]) for one in found["findings"]] == [("event", "event 2 is gone")]
        assert (await house.post("repair")).json()["repaired"] is True
        assert (await house.get("verify/{}")).json()["findings"][0]["quarantined"] is True


async def test_what_a_later_release_has_written_is_format_unknown() -> None:
    async with opened() as house:
        house.tables.checkpoints[house.thread][2].format = 9
        answer = await house.get("history/{}/3")
        assert (answer.status_code, answer.json()["code"]) == (409, "format_unknown")
        assert (await house.post("repair")).json()["code"] == "format_unknown"
        assert (await house.status())["version"] == 3
        assert (await house.get("history/{}")).status_code == 200
