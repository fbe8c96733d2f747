"""Random letters, the same in every process: neither TOAST nor the WAL can compress them away.

PostgreSQL cuts a long value into pieces of 1,996 bytes, four a page: a single size can be its best case or its worst (10,240
letters take a fifth more than their length, 9,900 next to nothing).  So long ones come in five sizes around the one asked for.
"""

from __future__ import annotations

import base64
import random
from functools import lru_cache

LONG = 1_000
SPREAD = (0.8, 0.9, 1.0, 1.1, 1.2)


@lru_cache(16)
def payload(size: int) -> str:
    """`size` letters."""
    return base64.b64encode(random.Random(7).randbytes(size)).decode()[:size]


def payload_of_step(index: int, size: int) -> str:
    """What the step at a place returns: about `size` letters, over any five steps in a row exactly so on average."""
    return payload(size if size < LONG else round(size * SPREAD[index % len(SPREAD)]))
