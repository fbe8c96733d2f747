"""The end of a `for_each`: the outputs of all its items, read page by page, as one list."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from app.domain import jsontext, retry
from app.domain.errors import Unavailable
from app.domain.integrity import is_text
from app.domain.records import ErrorInfo
from app.domain.runner import Asleep, Failed
from app.domain.status import StepStatus
from app.engine.outcome import Result
from app.engine.parts import Items
from app.engine.values import BIG_JSON, off_loop

if TYPE_CHECKING:
    from app.domain.ports import Reads
    from app.domain.records import ItemRecord
    from app.engine.openstep import OpenStep
    from app.engine.outcome import Ending

_PAGE: Final = 500
_LOOK_AGAIN: Final = 0.5


async def gather(reads: Reads, thread_id: str, step: OpenStep, limit: int) -> Ending:
    """The list of outputs, at most `limit` characters of JSON; an item whose output is damaged or gone is done again.

    Under `on_item_error: collect` an item that failed stands there as {"error": ...}.
    """
    assert isinstance(step.parts, Items)
    texts: list[str] = []
    lost: list[int] = []
    size = 2
    total = len(step.parts.values)
    while len(texts) < total:
        key = (step.key_execution_id, step.spec.id)
        page = await _page(reads, thread_id, key, len(texts), min(_PAGE, total - len(texts)))
        by_place = {record.item: record for record in page}
        for place in range(len(texts), min(len(texts) + _PAGE, total)):
            text = _text(by_place.get(place))
            lost.extend([place] if text is None else [])
            texts.append(text or "null")
            size += len(texts[-1]) + 1
        if size > limit:
            message = f"the outputs of the items have more than {limit:,} characters of JSON together"
            return Failed(error=ErrorInfo(kind=retry.OUTPUT_TOO_LARGE, message=message, step_id=step.spec.id))
    if lost:
        step.parts.lost(lost)
        step.notes = None  # its items may have remembered something
        return Asleep(seconds=0.0)
    text = f"[{','.join(texts)}]"
    return Result(value=await off_loop(lambda: jsontext.loads(text), size, BIG_JSON), text=text)


async def _page(reads: Reads, thread_id: str, key: tuple[str, str], first: int, limit: int) -> list[ItemRecord]:
    """Waits while the store is away: an outage fails nothing."""
    while True:
        try:
            return await reads.items(thread_id, key, first=first, limit=limit)
        except Unavailable:
            await asyncio.sleep(_LOOK_AGAIN)


def _text(item: ItemRecord | None) -> str | None:
    """What stands for an item in the list, None if it is lost."""
    if item is None:
        return None
    if item.status is StepStatus.FAILED:
        return f'{{"error":{item.error or "null"}}}'
    return item.output if is_text(item.output, item.output_sha256) else None
