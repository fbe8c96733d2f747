"""DBOS: an async workflow that calls K async steps, started with start_workflow_async, C in flight.

Started directly rather than through a queue, which DBOS polls once a second: the faster of its two ways.
"""

# pyright: reportMissingImports=false
# (the extra `bench` need not be installed where the types are checked)

from __future__ import annotations

from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.workload import Workload, run, start


async def main(load: Workload) -> None:
    """Launch DBOS on the database, drive the workflow and shut it down."""
    config: DBOSConfig = {
        "name": "backstitch-bench",
        "system_database_url": load.dsn,
        "sys_db_pool_size": 20,
        "log_level": "ERROR",
    }
    DBOS(config=config)

    @DBOS.step()
    async def step(index: int) -> dict[str, object]:
        return {"step": index, "data": load.data(index)}

    @DBOS.workflow()
    async def workflow() -> int:
        done = 0
        for index in range(load.steps):
            await step(index)
            done += 1
        return done

    DBOS.launch()

    async def drive(workflow_id: str) -> None:
        with SetWorkflowID(workflow_id):
            handle = await DBOS.start_workflow_async(workflow)
        assert await handle.get_result() == load.steps

    try:
        await run(load, drive)
    finally:
        DBOS.destroy()


if __name__ == "__main__":
    start(__doc__ or "", main)
