"""The examples that OpenAPI shows of time travel."""

from __future__ import annotations

from typing import Final

from app.api.examples import AT, EXECUTION, LINKS, THREAD, Json

_SOURCE: Final = "01993c5e-7c1f-7d3a-9a55-000000000000"
_RUN: Final = "01993c5e-7c1f-7d3a-9a55-0d5c9a1b2c3d"
_MOMENT: Final[Json] = {
    "version": 2,
    "current_step": "analyst",
    "created_at": AT,
    "execution_id": EXECUTION,
    "on_timeline": True,
}
DIFF: Final[Json] = {
    "thread_id": THREAD,
    "from": _MOMENT,
    "to": {**_MOMENT, "version": 5, "current_step": "marketer"},
    "changed": {"input": False, "context": [], "steps": ["marketer"]},
    "patch": [
        {"op": "add", "path": "/steps/marketer", "value": {"output": {"plan": "short"}, "status": "completed"}},
        {"op": "replace", "path": "/metadata/progress", "value": 1.0},
    ],
}
_BRANCH: Final[Json] = {
    "execution_id": EXECUTION,
    "kind": "invoke",
    "status": "completed",
    "began": "start",
    "reason": None,
    "left_version": None,
    "triggered_by": None,
    "first_version": 1,
    "last_version": 4,
    "parent_version": None,
    "versions": 4,
    "on_timeline": True,
    "on_timeline_to": 2,
    "created_at": AT,
}
REPLAY_OF: Final[Json] = {
    "thread_id": THREAD,
    "execution_id": EXECUTION,
    "run_id": _RUN,
    "step_id": "marketer",
    "version": 2,
    "item": None,
}
TREE: Final[Json] = {
    "thread_id": THREAD,
    "status": "completed",
    "head_version": 6,
    "last_version": 6,
    "forked_from": {"thread_id": _SOURCE, "version": 2, "variant": "a"},
    "replay_of": None,
    "parent": None,
    "branches": [
        _BRANCH,
        {
            **_BRANCH,
            "kind": "rollback",
            "began": "rollback",
            "reason": "another wording",
            "left_version": 4,
            "first_version": 5,
            "last_version": 6,
            "parent_version": 2,
            "versions": 2,
            "on_timeline_to": 6,
        },
    ],
    "next_cursor": None,
    "forks": [{"thread_id": "post-2", "version": 2, "variant": "bold", "status": "completed", "created_at": AT}],
    "forks_cursor": None,
    "replays": [],
    "replays_cursor": None,
    "children": [{"thread_id": "sub:1f", "status": "completed", "step_id": "mail", "run_id": _RUN, "created_at": AT}],
    "children_cursor": None,
}
REPLAY_STARTED: Final[Json] = {
    "thread_id": "01993c5e-9f10-7a00-8000-000000000001",
    "execution_id": EXECUTION,
    "status": "pending",
    "replay_of": REPLAY_OF,
    "durable": True,
    "links": {**LINKS, "replay": "/api/invoke/replay/01993c5e-9f10-7a00-8000-000000000001"},
}
_SIDE: Final[Json] = {
    "status": "completed",
    "agent": "marketer",
    "agent_version": 1,
    "attempt": 1,
    "started_at": AT,
    "completed_at": AT,
    "duration_ms": 900,
    "usage": {"input_tokens": 812, "output_tokens": 240, "cost_usd": 0.0021},
    "output": {"plan": "short"},
    "error": None,
}
REPLAY: Final[Json] = {
    "thread_id": "01993c5e-9f10-7a00-8000-000000000001",
    "execution_id": EXECUTION,
    "status": "completed",
    "replay_of": REPLAY_OF,
    "same": False,
    "recorded": _SIDE,
    "replayed": {**_SIDE, "agent": "marketer-v2", "output": {"plan": "long"}},
    "output": {
        "equal": False,
        "a": {"plan": "short"},
        "b": {"plan": "long"},
        "patch": [{"op": "replace", "path": "/plan", "value": "long"}],
        "omitted": None,
    },
    "input": {"insights": {"score": 0.9}},
    "error": None,
    "links": LINKS,
}
EXPORT: Final = (
    '{"row":"backstitch-thread","format":1,"backstitch":"0.1.0","thread_id":"post-1",'
    '"exported_at":"2026-11-21T09:30:00.123Z","counts":{"definition":1,"thread":1},"children":0}\n'
    '{"row":"end","lines":1,"sha256":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}\n'
)
IMPORTED: Final[Json] = {
    "thread_id": THREAD,
    "source_thread_id": "post-1",
    "status": "paused",
    "head_version": 2,
    "last_version": 4,
    "renamed": True,
    "counts": {"definition": 1, "thread": 1, "execution": 2, "step": 3, "checkpoint": 4, "event": 12},
    "durable": True,
    "links": LINKS,
}
