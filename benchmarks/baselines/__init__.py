"""The least that the same stack can do: a bare FastAPI route and a bare sse-starlette stream, without Backstitch."""
