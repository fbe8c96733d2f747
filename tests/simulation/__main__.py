"""`python -m tests.simulation --seeds 5000 --jobs 2`: many seeds; `--seed 17`: one, with its trail."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import time
from collections import Counter

from tests.simulation.world import Outcome, World, simulate

# ruff: noqa: T201 - it talks to people

_SHOWN = 3


def main() -> int:
    """Run what the command line asks for; 1 when an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in")
    parser.add_argument("--seed", type=int, help="only this one, with its trail")
    asked = parser.parse_args()
    if asked.seed is not None:
        return _one(asked.seed)
    return _many(range(asked.first, asked.first + asked.seeds), asked.jobs)


def _one(seed: int) -> int:
    world = World(seed)
    outcome = world.run()
    print(world.settings)
    print(world.watch.story(limit=100_000))
    print(f"seed {seed}: {outcome.violation or 'all invariants hold'}")
    return 1 if outcome.violation else 0


def _many(seeds: range, jobs: int) -> int:
    began = time.perf_counter()
    failed: list[Outcome] = []
    counts: Counter[str] = Counter()
    handles = virtual = 0.0
    gc.freeze()
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for outcome in pool.imap_unordered(simulate, seeds, chunksize=8):
            counts.update(outcome.counts)
            handles += outcome.handles
            virtual += outcome.seconds
            if outcome.violation:
                failed.append(outcome)
                print(f"seed {outcome.seed}: {outcome.violation[:500]}", flush=True)
    took = time.perf_counter() - began
    for outcome in sorted(failed, key=lambda each: len(each.story))[:_SHOWN]:
        print(f"\n--- seed {outcome.seed}: {outcome.violation}\n{outcome.story}")
    print(
        f"\n{len(seeds)} seeds in {took:.1f} s: {len(seeds) / took:.1f} seeds/s, {virtual / 3600:.0f} virtual hours, "
        f"{handles:.0f} callbacks; {dict(counts.most_common())}\n{len(failed)} seeds failed"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
