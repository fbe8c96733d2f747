"""The same client without an event loop: start, wait, look at what was done.  python plain.py [FILE OR FOLDER ...]"""

from __future__ import annotations

import os
import sys
from typing import Any

from app.client import SyncBackstitch


def main(url: str, paths: list[str]) -> None:
    """Against the service at `url`, on documents where that runs; without any on its own."""
    wanted: dict[str, Any] = {"topic": "rollback", "pace_ms": 0}
    if paths:
        wanted["paths"] = paths
    with SyncBackstitch(url) as service:
        thread = service.start("content-strategy", wanted, triggered_by="plain.py")
        ended = thread.wait(timeout=300, check=True)
        for step in ended["steps"]:
            print(f"{step['id']:12} {step['status']:10} {step['duration_ms']:>6} ms")
        print("report:", ended["output"]["report"])
        print("versions:", [entry["version"] for entry in thread.history()])
        latest = [execution["workflow"] for execution in service.executions(status="completed", limit=3)]
        print("completed last:", latest)


if __name__ == "__main__":
    main(os.environ.get("BACKSTITCH_URL", "http://127.0.0.1:8000"), sys.argv[1:])
