"""The HTTP service: routers that parse, call control or reads, and answer; problem+json and SSE at the edge."""
