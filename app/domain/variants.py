"""Variants of a step for A/B: which of them a thread gets, drawn by weight, the same whenever it is asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.template import Template

_BITS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of a step's: its share is `weight` (above 0) of the sum of all.

    `agent` None: the step's own; `input`: values that are merged over the step's input.
    """

    name: str
    weight: float = 1.0
    agent: str | None = None
    input: Template | None = None


def draw(thread_id: str, step_id: str, variants: Sequence[Variant]) -> Variant | None:
    """The variant that a thread gets for a step, None where there are none.

    The same arguments give the same: the lot is the SHA-256 of the thread's and the step's ids.
    """
    if not variants:
        return None
    digest = hashlib.sha256(f"{thread_id}\n{step_id}".encode()).digest()
    lot = int.from_bytes(digest[: _BITS // 8]) / 2**_BITS * sum(variant.weight for variant in variants)
    for variant in variants:
        lot -= variant.weight
        if lot < 0:
            return variant
    return variants[-1]  # what rounding leaves over
