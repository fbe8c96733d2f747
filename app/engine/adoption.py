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


def undriven(
    ours: Mapping[str, ThreadRecord], runs: Mapping[str, Run], busy: Collection[str], expected: Collection[str]
) -> list[ThreadRecord]:
    """The threads that wait for a run here; `busy` have one, or had one when the look began, `expected` are about to."""
    return [
        thread
        for thread in ours.values()
        if thread.thread_id not in expected
        and (thread.thread_id not in busy or (thread.thread_id in runs and _steered(runs[thread.thread_id], thread)))
    ]


def _steered(run: Run, row: ThreadRecord) -> bool:
    return row.epoch > run.thread.epoch
