"""An engine in memory with schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.engine.house import open_house
from tests.unit.triggers.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture
async def shop() -> AsyncGenerator[Workshop]:
    """With the workflow `w` of one step."""
    async with open_house() as house:
        made = Workshop(house)
        await made.register()
        yield made
