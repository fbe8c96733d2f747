"""What changed between any two versions of a thread: only what they do not share is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import InvalidRequest
from app.domain.state import Refs
from app.domain.views import diff
from app.engine.load import fill, manifests, resolved
from app.engine.values import off_loop

if TYPE_CHECKING:
    from app.domain.ports import Reads
    from app.domain.records import CheckpointRecord
    from app.domain.travel import Travels

MAX_BYTES: Final = 32 * 1024 * 1024
"""What the values may weigh together that two versions do not share: they pass through memory."""
_BIG: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """`patch` is RFC 6902, from the state of the version `one` to that of `other`."""

    one: CheckpointRecord
    other: CheckpointRecord
    patch: list[dict[str, Any]]


async def difference(reads: Reads, travels: Travels, thread_id: str, one: int, other: int) -> Difference:
    """Between two versions of a thread, whichever timelines they are on.

    Raises NotFound (version_not_found), Corrupt, InvalidRequest (diff_too_large).
    """
    chains = [await manifests(reads, thread_id, version) for version in (one, other)]
    a, b = [await resolved(chain, chain[-1].version) for chain in chains]
    steps, context = diff.unlike(a.steps, b.steps), diff.unlike(a.context, b.context)
    same_input = a.input == b.input
    parts = [_part(refs, steps, context, same_input=same_input) for refs in (a, b)]
    runs = {run for refs in parts for run, _ in refs.steps.values()}
    runs |= {run for refs in parts for kind, run in refs.context.values() if kind == "run"}
    weight = await travels.weight(thread_id, sorted(runs)) + sum(len(chain[-1].manifest) for chain in chains)
    if weight > MAX_BYTES:
        told = f"what changed between versions {one} and {other} holds {weight:,} bytes; at most {MAX_BYTES:,} are compared"
        raise InvalidRequest(told, code="diff_too_large")
    states = [await fill(reads, thread_id, refs) for refs in parts]
    before, after = (
        diff.Moment(checkpoint=chain[-1], refs=refs, state=state)
        for chain, refs, state in zip(chains, (a, b), states, strict=True)
    )
    size = sum(state.size_bytes for state in states) + _A_NAME * (len(a.steps) + len(b.steps))
    return Difference(
        one=before.checkpoint,
        other=after.checkpoint,
        patch=await off_loop(lambda: diff.patch(before, after), size, _BIG),
    )


_A_NAME: Final = 20
"""About what a step weighs in the list of those that are done."""


def _part(refs: Refs, steps: list[str], context: list[str], *, same_input: bool) -> Refs:
    """What is to be read of a state."""
    return Refs(
        input="" if same_input else refs.input,
        steps={name: refs.steps[name] for name in steps if name in refs.steps},
        context={name: refs.context[name] for name in context if name in refs.context},
        literals=refs.literals,
    )
