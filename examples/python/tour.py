"""Start a workflow, watch it fail, mend it and resume it, and roll it back: the async client, from start to end."""

from __future__ import annotations

import asyncio
import os

from app.client import Backstitch, WorkflowFailed

# The agents are those of the example that every service has. The first step stands for work that takes long.
TOUR = {
    "name": "tour",
    "steps": [
        {"id": "work", "sleep": "200ms"},
        {"id": "read", "agent": "collector", "input": {"paths": "{input.paths}"}},
        {"id": "links", "agent": "link-checker", "input": {"collection": "{read.output}"}},
    ],
    "output": {"pages": "{size(read.output.pages)}"},
}


async def main(url: str) -> None:
    """Against the service at `url`."""
    async with Backstitch(url) as service:
        thread = await service.start(TOUR, {"paths": ["/no/such/folder"]})
        print(f"started {thread.thread_id}")

        # Watch it: each event once, whatever cuts the connection, up to its end.
        async for event in thread.events():
            print(f"  {event.seq or '-':>3} {event.name} {event.step_id or ''}")

        # It has failed, and says why.
        try:
            await thread.result()
        except WorkflowFailed as failed:
            print(f"failed in {failed.step_id}: {failed.document['error']}")

        # Resume it with another input for that step; `work` does not run again.
        await thread.resume(overrides={"read": {"input": {"paths": []}}})
        print("resumed:", await thread.result(timeout=60))

        # Every step that ended left a version. Go back to the one that `read` has written, and run on from there.
        versions = {entry["current_step"]: entry["version"] async for entry in thread.history()}
        print("versions:", versions)
        moved = await thread.rollback(versions["read"], reason="a tour")
        ended = await thread.wait(timeout=60)
        print(f"rolled back from {moved['rolled_back_from_version']} to {moved['rolled_back_to_version']},", end=" ")
        print(f"{ended['status']} with version {ended['version']}")
        print("ran again:", [step["id"] for step in ended["steps"] if not step["reused"]])


if __name__ == "__main__":
    asyncio.run(main(os.environ.get("BACKSTITCH_URL", "http://127.0.0.1:8000")))
