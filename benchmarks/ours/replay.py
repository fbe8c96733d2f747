"""The limit: the statements and arguments that the engine sent, again, on a bare connection to an empty database.

The connection is made and the statement prepared by the journal's own code, so that settings and text are the same. Each
batch is sent as soon as the one before it is answered; the rows are written as they were then, which is checked at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from pathlib import Path

import uvloop

from app.store import db
from app.store.hints import PostgresHints
from app.store.writer import GroupWriter, Statement
from benchmarks.ours.recording import Recording
from benchmarks.stats import latencies_ms, own_cpu_s, own_peak_rss_mb, percentile, say

STARTS = 1
ENDED = "SELECT count(*) FROM threads WHERE status = 'completed'"


async def replay(recording: Recording, dsn: str) -> None:
    """Replay, check and print the figures."""
    statements: list[Statement] = []
    quiet = PostgresHints(lambda: db.connect(dsn), None)
    writers = [GroupWriter(lambda: db.connect(dsn), quiet) for _ in {lane for lane, _ in recording.batches}]
    for writer in writers:
        await writer.open()
        assert writer._statement is not None
        statements.append(writer._statement)
    gc.collect()
    gc.freeze()
    gc.disable()
    await _send(recording, statements, slice(0, recording.warmup))
    cpu, begin = own_cpu_s(), time.perf_counter()
    took = await _send(recording, statements, slice(recording.warmup, None))
    seconds, cpu = time.perf_counter() - begin, own_cpu_s() - cpu
    rss = own_peak_rss_mb()
    for writer in writers:
        await writer.drop_connection()
    await _check(recording, dsn)
    steps = recording.workflows * recording.steps
    alone = len(took) > steps
    say(
        workflows_per_s=round(recording.workflows / seconds, 1),
        steps_per_s=round(steps / seconds, 1),
        cpu_ms_per_step=round(cpu * 1000 / steps, 4),
        batches=len(took),
        all_steps=recording.all_workflows * recording.steps,
        rss_mb=round(rss, 1),
        step_commit_p50_ms=round(percentile(_moves(recording, took), 50) * 1000, 4),
        **(latencies_ms(_workflows(recording, took)) if alone else {}),
    )


async def _send(recording: Recording, statements: list[Statement], part: slice) -> list[float]:
    """The seconds of every batch, in the order of the recording; lanes side by side, each in its order."""
    batches = recording.batches[part]
    took = [0.0] * len(batches)

    async def lane(number: int) -> None:
        fetch = statements[number].fetch
        for place, (its_lane, arguments) in enumerate(batches):
            if its_lane == number:
                begin = time.perf_counter()
                await fetch(*arguments)
                took[place] = time.perf_counter() - begin

    async with asyncio.TaskGroup() as lanes:
        for number in range(len(statements)):
            lanes.create_task(lane(number))
    return took


def _moves(recording: Recording, took: list[float]) -> list[float]:
    """The times of batches without a start."""
    timed = recording.batches[recording.warmup :]
    return [seconds for (_, arguments), seconds in zip(timed, took, strict=True) if not arguments[STARTS]]


def _workflows(recording: Recording, took: list[float]) -> list[float]:
    """Of a recording with one workflow at a time: the sum of each one's batches."""
    sums: list[float] = []
    for (_, arguments), seconds in zip(recording.batches[recording.warmup :], took, strict=True):
        if arguments[STARTS]:
            sums.append(0.0)
        sums[-1] += seconds
    return sums


async def _check(recording: Recording, dsn: str) -> None:
    connection = await db.connect(dsn)
    try:
        ended = await connection.fetchval(ENDED)
    finally:
        await connection.close()
    if ended != recording.all_workflows:
        raise SystemExit(
            f"the replay ended {ended} workflows of {recording.all_workflows}: it did not write the same rows"
        )


def main() -> None:
    """Read the recording and replay it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--recording", type=Path, required=True)
    given = parser.parse_args()
    uvloop.run(replay(Recording.load(given.recording), given.dsn))


if __name__ == "__main__":
    main()
