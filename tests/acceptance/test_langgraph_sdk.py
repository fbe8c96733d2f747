"""The stock LangGraph SDK against a service that is killed and stopped: streams and waits go on by themselves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from langgraph_sdk import get_client

from tests.acceptance.service import running

if TYPE_CHECKING:
    from pathlib import Path

    from langgraph_sdk.client import LangGraphClient

    from tests.acceptance.service import Service

STEPS = 6


def workflow(folder: Path) -> dict[str, Any]:
    """Steps in a row, of which the middle one waits for a file."""
    steps: list[dict[str, Any]] = [{"id": f"s{number}", "agent": "worker"} for number in range(1, STEPS + 1)]
    steps[2]["input"] = {"until": str(folder / "go")}
    return {"name": "row", "steps": steps}


async def streamed(client: LangGraphClient, begun: asyncio.Event) -> list[Any]:
    """All of a stream over the end of the service; `begun` once its third step runs."""
    found: list[Any] = []
    modes: Any = ["updates", "values", "tasks"]
    async for part in client.runs.stream(None, "row", input={"n": 1}, stream_mode=modes):
        found.append(part)
        if part.event == "tasks" and part.data["name"] == "s3" and "input" in part.data:
            begun.set()
    return found


async def end_service(service: Service, how: str) -> None:
    """Its end, and its next life."""
    if how == "kill":
        await asyncio.to_thread(service.kill)
    else:
        assert await asyncio.to_thread(service.stop) == 0
    await asyncio.to_thread(lambda: service.start().ready())


@pytest.mark.parametrize("how", ["kill", "stop"])
@pytest.mark.filterwarnings("ignore:Request failed, attempting reconnect")
async def test_a_stream_and_a_wait_outlive_the_service(tmp_path: Path, how: str) -> None:
    with running(tmp_path / "service", SHUTDOWN_GRACE_SECONDS=0.2) as service:
        service.register(workflow(tmp_path))
        begun = asyncio.Event()
        async with get_client(url=f"{service.url}/langgraph", api_key=None) as client:
            async with asyncio.TaskGroup() as tasks:
                stream = tasks.create_task(streamed(client, begun))
                wait = tasks.create_task(client.runs.wait(None, "row", input={"n": 2}))
                await begun.wait()
                await end_service(service, how)
                (tmp_path / "go").touch()
            found, waited = stream.result(), wait.result()
        updates = [one.data for one in found if one.event == "updates"]
        assert updates == [{f"s{number}": {"by": f"s{number}"}} for number in range(1, STEPS + 1)]
        assert len({one.id for one in found[:-1]}) == len(found) - 1
        assert [one.event for one in found].count("values") == STEPS + 2
        assert found[-1].event == "end"
        assert waited["output"] == {f"s{STEPS}": {"by": f"s{STEPS}"}}  # type: ignore[call-overload]
