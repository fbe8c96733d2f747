"""What the service answers to the client about workers, written
by scripts/client_types.py from the OpenAPI document (`make client-types`): do not edit.
"""

from __future__ import annotations

from typing import TypedDict


class WorkerAnswer(TypedDict):
    """A process that serves this database; `host` is the name of its machine, or its container. `age_ms` is the time
    since its last heartbeat by the database's clock, `alive` whether that is within the lease, `this` whether it is
    the one that answers: of the others `slots` and `free_slots` are not known. `threads` it drives now, and of
    which `queues`.
    """

    id: str
    host: str
    pid: int | None
    started_at: str
    heartbeat_at: str
    age_ms: int
    alive: bool
    this: bool
    threads: int
    queues: dict[str, int]
    slots: int | None
    free_slots: int | None


class WorkersAnswer(TypedDict):
    """The processes, the one that started last first; `lease_ms` is that of the process that answers."""

    workers: list[WorkerAnswer]
    lease_ms: int
