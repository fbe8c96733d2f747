"""The catalog: what may be registered, and what has been."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from app.domain.errors import InvalidWorkflow
from app.engine.catalog import Catalog


async def test_what_is_stored_already_runs_however_many_holes_it_has() -> None:
    document = {"name": "many", "steps": [{"id": "a", "python": "f", "input": ["{input}"] * 1_001}]}
    record = SimpleNamespace(id="d", document=json.dumps(document))

    async def definition(_: str) -> Any:
        return record

    registry: Any = SimpleNamespace(definition=definition)
    catalog = Catalog(registry, {})
    assert (await catalog.spec("d")).name == "many"
    with pytest.raises(InvalidWorkflow, match="more than 1,000 holes"):
        await catalog.validate(document)
