"""Backstitch's own rows: the limit, the engine in process, and the service over HTTP."""
