"""The catalog: what may be registered, and what has been."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from app.bootstrap.code import _register_text
from app.domain.commands import StartCommand
from app.domain.document import parse
from app.domain.errors import InvalidWorkflow
from app.engine.catalog import Catalog
from tests.unit.engine.house import House, open_house, step


async def test_what_is_stored_already_runs_however_many_holes_it_has() -> None:
    document = {"name": "many", "steps": [{"id": "a", "python": "f", "input": ["{input}"] * 1_001}]}
    record = SimpleNamespace(id="d", document=json.dumps(document))

    async def definition(_: str) -> Any:
        return record

    async def of_hash(_: str) -> None:
        return None

    registry: Any = SimpleNamespace(definition=definition, of_hash=of_hash)
    catalog = Catalog(registry, {})
    assert (await catalog.spec("d")).name == "many"
    with pytest.raises(InvalidWorkflow, match="more than 1,000 holes"):
        await catalog.validate(document)


async def stored_before(house: House, **options: Any) -> dict[str, Any]:
    """A document of more holes than may be registered, stored all the same by a version that let it in."""
    document = {"name": "big", "steps": [step("a", input=["{input}"] * 1_001, **options)]}
    with pytest.raises(InvalidWorkflow, match="more than 1,000 holes"):
        await house.control.register(document)
    spec = parse(document, stored=True)
    await house.catalog._registry.register(name="big", document=json.dumps(document), hash=spec.hash)
    return document


async def test_what_is_stored_already_may_be_registered_again_however_many_holes_it_has() -> None:
    async with open_house() as house:
        document = await stored_before(house)
        record, is_new = await house.control.register(document)
        assert (record.version, is_new) == (1, False)
        accepted = await house.control.start(StartCommand(workflow=document, input=1, has_input=True))
        assert accepted.thread.definition_id == record.id


async def test_what_is_stored_already_keeps_nobody_from_starting() -> None:
    async with open_house() as house:
        document = await stored_before(house, python="gone")
        await _register_text(json.dumps(document), "big.json", house.control)
        with pytest.raises(InvalidWorkflow):
            await _register_text(json.dumps({**document, "name": "other"}), "other.json", house.control)
