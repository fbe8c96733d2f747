"""The service as an outsider meets it: real processes, real HTTP, a real database, and nothing known but the contract."""
