"""The command line, `backstitch`: a client of the service's HTTP API, and the commands that start the service."""

from app.cli.root import main

__all__ = ["main"]
