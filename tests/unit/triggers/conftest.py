"""Engines in memory with schedules, and with messages and triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.engine.house import open_house
from tests.unit.triggers.rig import open_rig
from tests.unit.triggers.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.unit.triggers.rig import Rig


@pytest.fixture
async def shop() -> AsyncGenerator[Workshop]:
    """With the workflow `w` of one step."""
    async with open_house() as house:
        made = Workshop(house)
        await made.register()
        yield made


@pytest.fixture
async def rig() -> AsyncGenerator[Rig]:
    """Nobody has made a trigger."""
    async with open_rig() as opened:
        yield opened
