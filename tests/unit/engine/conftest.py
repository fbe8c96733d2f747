"""A service for a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.engine.house import House, open_house

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@pytest.fixture
async def house() -> AsyncGenerator[House]:
    """A service on an empty memory store."""
    async with open_house() as opened:
        yield opened
