"""Telemetry: what the service tells of itself to its operators; it listens, and nothing waits for it."""
