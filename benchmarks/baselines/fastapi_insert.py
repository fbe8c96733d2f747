"""A bare FastAPI app: POST /bare checks a pydantic body and answers, POST /insert writes it with one INSERT first."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request
from pydantic import BaseModel

from benchmarks.baselines.serve import serve

TABLE = "CREATE TABLE IF NOT EXISTS bare_requests (id uuid PRIMARY KEY, body json NOT NULL)"
INSERT = "INSERT INTO bare_requests (id, body) VALUES ($1, $2)"


class Invocation(BaseModel):
    """What a client posts: the plainest form of the body of POST /api/invoke/async."""

    workflow: str
    input: dict[str, Any] = {}
    thread_id: str | None = None


class Accepted(BaseModel):
    """What it is answered."""

    id: uuid.UUID
    status: str


def build(dsn: str) -> FastAPI:
    """The app; its pool opens and closes with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(dsn, min_size=10, max_size=10) as pool:
            await pool.execute(TABLE)
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/bare", status_code=202)
    async def bare(body: Invocation) -> Accepted:
        del body
        return Accepted(id=uuid.uuid4(), status="pending")

    @app.post("/insert", status_code=202)
    async def insert(body: Invocation, request: Request) -> Accepted:
        key = uuid.uuid4()
        await request.app.state.pool.execute(INSERT, key, orjson.dumps(body.model_dump()).decode())
        return Accepted(id=key, status="pending")

    return app


def main() -> None:
    """Read the DSN and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", required=True)
    serve(build(parser.parse_args().dsn))


if __name__ == "__main__":
    main()
