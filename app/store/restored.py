"""After a dump was restored on another server: its events name transactions that this server has not begun yet.

The list of events shows nothing of a transaction that may still be to come, and would show them out of turn later.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from app.store import queries

_SQL: Final = queries.load("events")


async def place_anew(dsn: str, schema: str = "public") -> int:
    """Give all events places before what this server will write, in their order, if it needs that; how many there are.

    Raises what asyncpg raises.
    """
    connection = await asyncpg.connect(dsn, server_settings={"search_path": f'"{schema}"'})
    try:
        if not await connection.fetchval(_SQL["strayed"]):
            return 0
        async with connection.transaction():
            await connection.execute(_SQL["keep_out"])
            if not await connection.fetchval(_SQL["strayed"]):  # another process has done it meanwhile
                return 0
            await connection.execute(_SQL["unmark"])
            await connection.execute(_SQL["search_anew"])
            return int((await connection.execute(_SQL["place_anew"])).rpartition(" ")[2])
    finally:
        await connection.close()
