"""The domain: what a workflow, a thread and a transition are; no I/O and no asyncio here."""
