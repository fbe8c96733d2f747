"""What a look at the store tells a process of its threads: which it drives and are not its own, which are and nobody drives."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from app.domain.records import ThreadRecord
    from app.engine.run import Run


def lost(runs: Mapping[str, Run], ours: Mapping[str, ThreadRecord]) -> list[Run]:
    """The runs, begun before the look, whose threads were steered away, perhaps by another process."""
    return [run for thread_id, run in runs.items() if thread_id not in ours or _steered(run, ours[thread_id])]


def undriven(ours: Mapping[str, ThreadRecord], begun: Mapping[str, int], spared: Collection[str]) -> list[ThreadRecord]:
    """The threads that wait for a run here.

    `begun` has the epoch for which a task was last begun: a run that is on its way out for an older one drives nothing.
    `spared` are about to be born, steered or loaded here, or have ended since the look began.
    """
    return [
        thread
        for thread_id, thread in ours.items()
        if thread_id not in spared and thread.epoch > begun.get(thread_id, 0)
    ]


def _steered(run: Run, row: ThreadRecord) -> bool:
    return row.epoch > run.thread.epoch
