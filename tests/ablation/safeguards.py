"""All safeguards that are taken out in turn, room by room: those of each module `in_*.py` beside this file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.ablation.safeguard import Safeguard

SAFEGUARDS: tuple[Safeguard, ...] = tuple(
    safeguard
    for file in sorted(Path(__file__).parent.glob("in_*.py"))
    for room in import_module(f"tests.ablation.{file.stem}").ROOMS
    for safeguard in room.safeguards
)
