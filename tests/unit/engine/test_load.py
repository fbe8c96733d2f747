"""Loading reads what it needs and no more often than it must."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.engine.load import load_refs
from tests.unit.engine.house import step

if TYPE_CHECKING:
    from app.domain.ports import Reads
    from tests.unit.engine.house import House


class Counting:
    """Reads that count how often checkpoints are asked for."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reads, name)

    async def checkpoints(self, *arguments: Any, **which: Any) -> Any:
        self.looks += 1
        return await self._reads.checkpoints(*arguments, **which)


async def test_a_version_is_found_with_one_look_unless_its_full_manifest_is_far(house: House) -> None:
    steps = [f"s{number}" for number in range(60)]
    thread_id = await house.run(*(step(name, input=1) for name in steps))
    looks: list[int] = []
    for number in range(61):
        reads: Any = Counting(house.reads)
        refs = await load_refs(reads, thread_id, number + 1)
        assert list(refs.steps) == steps[:number]
        looks.append(reads.looks)
    assert set(looks[:17]) == {1}
    assert set(looks) == {1, 2}
