"""All safeguards that are taken out in turn, room by room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.ablation import (
    in_agents,
    in_api,
    in_checks,
    in_control,
    in_engine,
    in_queues,
    in_runners,
    in_steps,
    in_store,
    in_writer,
)

if TYPE_CHECKING:
    from tests.ablation.safeguard import Safeguard

SAFEGUARDS: tuple[Safeguard, ...] = tuple(
    safeguard
    for module in (
        in_store,
        in_writer,
        in_queues,
        in_engine,
        in_control,
        in_steps,
        in_api,
        in_runners,
        in_checks,
        in_agents,
    )
    for room in module.ROOMS
    for safeguard in room.safeguards
)
