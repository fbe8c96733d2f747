"""The fault table. A new row: a file with its `ROWS`, named here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos import (
    ablation,
    asleep,
    bodies,
    freeze,
    kill,
    messages,
    model,
    monitors,
    outage,
    reply,
    schedules,
    schema,
    sigterm,
    slow,
    storm,
    terminate,
    webhooks,
)

if TYPE_CHECKING:
    from tests.chaos.frame import Row

ROWS: tuple[Row, ...] = (
    *kill.ROWS,
    *freeze.ROWS,
    *outage.ROWS,
    *terminate.ROWS,
    *reply.ROWS,
    *monitors.ROWS,
    *storm.ROWS,
    *slow.ROWS,
    *bodies.ROWS,
    *sigterm.ROWS,
    *asleep.ROWS,
    *messages.ROWS,
    *schedules.ROWS,
    *webhooks.ROWS,
    *model.ROWS,
    *schema.ROWS,
    *ablation.ROWS,
)
