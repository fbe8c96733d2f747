"""Percentiles and the one-line JSON in which a measuring process hands its figures to the harness.

It imports nothing but the standard library and psutil, so that it weighs nothing in a peer's memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import psutil


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (0-100) of `values` by linear interpolation; NaN when there are none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    place = (len(ordered) - 1) * q / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def latencies_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the highest of `seconds`, in milliseconds."""
    figures = {f"p{q}_ms": round(percentile(seconds, q) * 1000, 3) for q in (50, 95, 99)}
    return figures | {"max_ms": round(max(seconds, default=float("nan")) * 1000, 3)}


def own_cpu_s() -> float:
    """User and system CPU time of this process so far, in seconds."""
    times = psutil.Process().cpu_times()
    return times.user + times.system


def own_peak_rss_mb() -> float:
    """The highest resident memory of this process so far, in MB (VmHWM; what is resident now where that is unknown)."""
    try:
        # not getrusage: its ru_maxrss starts from the peak of the parent that forked this process
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - a path object buys nothing here
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return psutil.Process().memory_info().rss / 2**20


def say(**figures: object) -> None:
    """Print one JSON line for the harness."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
