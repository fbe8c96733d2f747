"""Resume everything that has failed since yesterday and still is: what had completed does not run again."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime, timedelta

from app.client import ApiError, Backstitch


async def main(url: str) -> None:
    """Against the service at `url`."""
    yesterday = datetime.now().astimezone() - timedelta(days=1)
    resumed = 0
    async with Backstitch(url) as service:
        async for thread in service.threads(status="failed", since=yesterday):
            status = await thread.status()
            try:
                await thread.resume(expected_version=status["version"], triggered_by="resume_failed.py")
            except ApiError as error:
                if error.code not in {"thread_running", "version_conflict"}:  # somebody else was quicker
                    raise
                continue
            resumed += 1
            done = ", ".join(status["completed_steps"]) or "START"
            print(f"{thread.thread_id} ({status['workflow']}) goes on after {done}")
    print(f"{resumed} resumed")


if __name__ == "__main__":
    asyncio.run(main(os.environ.get("BACKSTITCH_URL", "http://127.0.0.1:8000")))
