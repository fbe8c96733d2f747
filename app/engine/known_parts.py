"""What is known of the parts of a step that was begun before: how far they are, without reading the outputs of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.domain import integrity
from app.domain.records import ItemRecord, PartMarks

if TYPE_CHECKING:
    from collections.abc import Collection

    from app.domain.ports import Reads
    from app.domain.spec import StepSpec


@dataclass(slots=True, kw_only=True)
class KnownParts:
    """`completed` and `failed` are places; `open` those that have begun and not ended; `failure` is the first that failed for
    good, unless failures are collected, `last` the last iteration of a `repeat` that completed.
    """

    completed: Collection[int] = ()
    failed: Collection[int] = ()
    open: Collection[ItemRecord] = ()
    failure: ItemRecord | None = None
    last: ItemRecord | None = None

    @property
    def unfinished(self) -> list[int]:
        """The places whose rows tell of tries without success."""
        return [*self.failed, *(record.item for record in self.open)]


async def known_parts(reads: Reads, thread_id: str, key: str, spec: StepSpec) -> KnownParts:
    """Of the step `spec` under the key of an execution."""
    marks = await reads.part_marks(thread_id, (key, spec.id))
    if spec.repeat is not None:
        return await _iterations(reads, thread_id, (key, spec.id), marks)
    assert spec.for_each is not None
    found = KnownParts(completed=marks.completed, failed=marks.failed, open=marks.open)
    if marks.failed and not spec.for_each.collect:
        found.failure = await _one(reads, thread_id, (key, spec.id), marks.failed[0])
    return found


async def _iterations(reads: Reads, thread_id: str, key: tuple[str, str], marks: PartMarks) -> KnownParts:
    """Up to the last one that completed and whose output is sound; what came after that is done again."""
    done = 0
    while done < len(marks.completed) and marks.completed[done] == done:
        done += 1
    last = None
    while done > 0 and last is None:
        last = await _one(reads, thread_id, key, done - 1)
        if last is None or not integrity.is_text(last.output, last.output_sha256):
            last, done = None, done - 1
    return KnownParts(
        completed=range(done),
        open=[record for record in marks.open if record.item == done],
        failed=[done] if done in marks.failed else (),
        failure=await _one(reads, thread_id, key, done) if done in marks.failed else None,
        last=last,
    )


async def _one(reads: Reads, thread_id: str, key: tuple[str, str], place: int) -> ItemRecord | None:
    page = await reads.items(thread_id, key, first=place, limit=1)
    return page[0] if page and page[0].item == place else None
