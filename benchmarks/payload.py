"""Random letters of a given length, the same in every process: neither TOAST nor the WAL can compress them away."""

from __future__ import annotations

import base64
import random


def payload(size: int) -> str:
    """`size` letters."""
    return base64.b64encode(random.Random(7).randbytes(size)).decode()[:size]
