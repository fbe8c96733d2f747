"""How the page lays a thread's versions out (app/ui/js/pages/thread/versions/shape.js), tried under node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

NODE: Final = shutil.which("node")
SHAPE: Final = Path(__file__).parents[2] / "app/ui/js/pages/thread/versions/shape.js"
SIZES: Final = {"wide": 64, "narrow": 18, "fold": 136, "left": 16}
ASK: Final = """
const { shapeOf, bandsOf, neighbour } = await import(process.argv[1]);
const { tree, sizes, marked, from, keys } = JSON.parse(process.argv[2]);
const shape = shapeOf(tree);
const segments = shape.segments.map(({ first, lane, start, turns, upTo }) => ({ first, lane, start, turns, upTo }));
const bands = bandsOf(shape, marked, [], sizes).bands.map(({ kind, from, to }) => [kind, from, to]);
const reached = keys.map((key) => neighbour(shape, from, key));
console.log(JSON.stringify({ segments, stub: shape.stub, head: shape.head, bands, keys: reached }));
"""


def told(
    *branches: tuple[int | None, int | None, int | None, int | None],
    status: str = "completed",
    marked: tuple[int, ...] = (),
    at: tuple[int, tuple[str, ...]] = (1, ()),
) -> dict[str, Any]:
    """The layout of branches, each (first, last, parent, on the timeline up to)."""
    if NODE is None:
        pytest.skip("needs node")
    head = next(upto for _, _, _, upto in reversed(branches) if upto is not None)
    keys = ("first_version", "last_version", "parent_version", "on_timeline_to")
    tree = {"status": status, "head_version": head, "last_version": head}
    tree["branches"] = [{**dict(zip(keys, one, strict=True)), "began": "rollback"} for one in branches]
    asked = {"tree": tree, "sizes": SIZES, "marked": list(marked), "from": at[0], "keys": list(at[1])}
    module = "data:text/javascript," + quote(SHAPE.read_text(encoding="utf-8"))
    command = [NODE, "--input-type=module", "-e", ASK, module, json.dumps(asked)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_a_rollback_branches_off_below_right_of_the_version_it_went_to() -> None:
    second = told((1, 4, None, 2), (5, 6, 2, 6))["segments"][1]
    assert second == {"first": 5, "lane": 1, "start": 2, "turns": True, "upTo": 6}


def test_a_resume_goes_on_in_the_line_that_it_left() -> None:
    first, second = told((1, 4, None, 4), (5, 6, 4, 6))["segments"]
    assert (first["lane"], second["lane"], second["start"], second["turns"]) == (0, 0, 4, False)


def test_a_second_way_from_the_same_version_gets_a_line_of_its_own() -> None:
    segments = told((1, 3, None, 3), (4, 5, 3, None), (6, 7, 3, 7))["segments"]
    assert [one["lane"] for one in segments] == [0, 0, 1]


def test_where_a_paused_rollback_will_go_on_is_where_its_first_version_will_stand() -> None:
    before = told((1, 4, None, 2), (None, None, 2, None), status="paused")["stub"]
    after = told((1, 4, None, 2), (5, 5, 2, 5))["segments"][1]
    assert (before["lane"], before["depth"]) == (after["lane"], after["start"])


def test_a_head_that_was_read_before_its_versions_is_caught_up() -> None:
    found = told((1, 9, None, 5), status="running")
    assert (found["head"], found["segments"][0]["upTo"], found["stub"]["lane"]) == (9, 9, 0)


def test_a_long_straight_run_is_folded_and_what_is_chosen_in_it_is_not() -> None:
    plain = told((1, 1000, None, 1000))["bands"]
    assert [kind for kind, _, _ in plain] == ["plain", "fold", "plain"]
    chosen = told((1, 1000, None, 1000), marked=(500,))["bands"]
    assert [kind for kind, _, _ in chosen] == ["plain", "fold", "plain", "fold", "plain"]
    assert any(kind == "plain" and first <= 499 <= last for kind, first, last in chosen)


def test_the_fold_of_a_growing_thread_ends_at_the_same_place_for_ten_versions() -> None:
    ends = {told((1, count, None, count))["bands"][1][2] for count in range(107, 116)}
    assert len(ends) <= 2


def test_arrows_go_along_lines_and_from_line_to_line() -> None:
    keys = ("ArrowLeft", "ArrowRight", "ArrowUp", "Home", "End")
    assert told((1, 4, None, 2), (5, 6, 2, 6), at=(5, keys))["keys"] == [2, 6, 3, 1, 6]
