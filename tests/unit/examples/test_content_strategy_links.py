"""The step `links` of the example workflow: what resolves, what does not, and who links to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.examples.content_strategy.collect import collect
from app.examples.content_strategy.links import check_links


class Watcher:
    thread_id = "t-1"

    def progress(self, fraction: float, message: str = "") -> None: ...

    def chunk(self, text: str) -> None: ...


def collected(folder: Path, **files: str) -> dict[str, Any]:
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return collect({"paths": [str(folder)]}, Watcher())


def test_a_broken_link_is_found_with_its_line_and_a_suggestion(tmp_path: Path) -> None:
    collection = collected(tmp_path, a_md="# A\n\nSee\n[b](guides.md).\n", guide_md="# Guide\n\n[a](a.md)\n")

    output = check_links({"collection": collection}, Watcher())

    (broken,) = output["broken"]
    assert (broken["page"], broken["line"], broken["problem"]) == ("a.md", 4, "missing_file")
    assert broken["suggestion"] == "guide.md"


def test_a_missing_anchor_is_found_and_an_existing_one_is_not(tmp_path: Path) -> None:
    links = "[x](b.md#set-up) [y](b.md#setup) [z](#a) [h](b.md#by-hand)"
    collection = collected(tmp_path, a_md=f"# A\n\n{links}\n", b_md="# B\n\n## Set up\n\n<a id='by-hand'></a>\n")

    output = check_links({"collection": collection}, Watcher())

    assert [(item["target"], item["suggestion"]) for item in output["broken"]] == [("b.md#setup", "#set-up")]


@pytest.mark.parametrize("target", ["https:///path", "http://[::1", "mailto:nobody", "https://no_dots"])
def test_an_external_link_that_cannot_work_is_found_offline(tmp_path: Path, target: str) -> None:
    output = check_links({"collection": collected(tmp_path, a_md=f"# A\n\n[x]({target})\n")}, Watcher())

    assert output["problems"] == {"malformed": 1}


@pytest.mark.parametrize(
    "target", ["https://example.org/a?b#c", "http://localhost:8000", "mailto:a@b.org", "/b.md", "b"]
)
def test_a_good_link_is_not_complained_about(tmp_path: Path, target: str) -> None:
    collection = collected(tmp_path, a_md=f"# A\n\n[x]({target})\n", b_md="# B\n")

    output = check_links({"collection": collection}, Watcher())

    assert (output["broken"], output["insecure"]) == ([], [])


def test_a_link_out_of_the_collection_is_a_fault_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    collection = collected(tmp_path / "docs", a_md="# A\n\n[x](../src/gone.py)\n")

    assert check_links({"collection": collection}, Watcher())["problems"] == {"missing_outside": 1}


def test_pages_nobody_links_to_are_orphans_and_the_readme_is_not(tmp_path: Path) -> None:
    collection = collected(tmp_path, README_md="# R\n\n[b](b.md)\n", b_md="# B\n", c_md="# C\n\n[b](b.md)\n")

    output = check_links({"collection": collection}, Watcher())

    assert output["orphans"] == ["c.md"]
    assert output["inbound"] == {"README.md": 0, "b.md": 2, "c.md": 0}
    assert output["dead_ends"] == ["b.md"]


def test_a_link_over_plain_http_is_noted(tmp_path: Path) -> None:
    collection = collected(tmp_path, a_md="# A\n\n[x](http://example.org/)\n")

    assert check_links({"collection": collection}, Watcher())["insecure_count"] == 1
