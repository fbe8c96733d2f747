"""After a dump was restored on another server: what is in it names transactions that this server has not begun yet.

The list of events and the log of messages show nothing of a transaction that may still be to come, and would show it out of
turn later; who follows them would be beyond all that is to come.
"""

from __future__ import annotations

from typing import Final

import asyncpg

from app.store import queries

_SQL: Final = queries.load("restored")


async def place_anew(dsn: str, schema: str = "public") -> int:
    """Give all events and messages places before what this server will write, in their order, and to those who follow them the
    places that they had reached, if it needs that; how many events and messages there are.

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
            return await connection.fetchval(_SQL["place_anew"])
    finally:
        await connection.close()
