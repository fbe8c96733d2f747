"""The workflow documents of the benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PACED_STEPS = 16


def sequence(steps: int, *, name: str | None = None) -> dict[str, Any]:
    """Steps that each return the payload, one after the other."""
    made = [{"id": f"s{index}", "python": "bench_small", "input": {"step": index}} for index in range(steps)]
    return {"name": name or f"bench-{steps}", "steps": made}


def single(name: str, function: str, *, steps: int = 1) -> dict[str, Any]:
    """Steps that call one function with the workflow's input."""
    return {"name": name, "steps": [{"id": f"s{index}", "python": function} for index in range(steps)]}


def write(folder: Path) -> None:
    """All documents that the service needs, for WORKFLOWS_DIR."""
    documents = (
        sequence(5, name="bench"),
        single("bench-hold", "bench_hold"),
        single("bench-open", "bench_open"),
        single("bench-paced", "bench_paced", steps=PACED_STEPS),
    )
    for document in documents:
        (folder / f"{document['name']}.json").write_text(json.dumps(document), encoding="utf-8")
