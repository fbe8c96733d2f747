"""The plan, the doubts and the report that the example workflow makes of its data, and the document that names them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.examples.content_strategy import DOCUMENT, agents
from app.examples.content_strategy.collect import collect
from app.examples.content_strategy.critic import criticise
from app.examples.content_strategy.duplicates import find_duplicates
from app.examples.content_strategy.keyphrases import keyphrases
from app.examples.content_strategy.links import check_links
from app.examples.content_strategy.readability import readability
from app.examples.content_strategy.report import safe_name, write_report
from app.examples.content_strategy.strategy import plan_content
from app.examples.content_strategy.structure import analyse

FILES = {
    "README.md": "# Stitch\n\nRead [the guide](guide.md) and [this](lost.md) and [that](gone.md).\n",
    "guide.md": "# Guide\n\ntext | with *marks* <script>alert(1)</script>\n\n### Deep\n\nSee [home](README.md#none).\n",
    "alone.md": "# Alone\n\nNobody links here. TODO later.\n",
    "broken.md": "\x00",
}


class Watcher:
    thread_id = "t-1"

    def progress(self, fraction: float, message: str = "") -> None: ...

    def chunk(self, text: str) -> None: ...


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    watcher = Watcher()
    collection = collect({"paths": [str(folder)]}, watcher)
    given = {"collection": collection}
    return {
        **given,
        "structure": analyse(given, watcher),
        "readability": readability(given),
        "keyphrases": keyphrases({**given, "pace_ms": 0}, watcher),
        "links": check_links(given, watcher),
        "duplicates": find_duplicates(given),
    }


def reviewed(facts: dict[str, Any]) -> dict[str, Any]:
    return criticise({**facts, "strategy": plan_content(facts, Watcher())}, Watcher())


def test_findings_are_ranked_by_effect_and_carry_their_places(facts: dict[str, Any]) -> None:
    findings = plan_content(facts, Watcher())["findings"]

    assert findings[0]["id"] == "missing_file"
    assert [place["line"] for place in findings[0]["evidence"]] == [3, 3]
    effects = [finding["effect"] for finding in findings]
    assert effects == sorted(effects, reverse=True)
    assert {"missing_anchor", "orphan", "heading_jump", "unfinished", "unreadable"} <= {f["id"] for f in findings}


def test_a_subject_that_no_page_mentions_is_a_gap(facts: dict[str, Any]) -> None:
    strategy = plan_content({**facts, "topic": "underwater basketry"}, Watcher())

    assert strategy["write_next"][0]["title"] == "Write about “underwater basketry”"
    assert strategy["topic"]["pages"] == []


def test_a_term_that_many_pages_lean_on_and_none_explains_is_a_gap(facts: dict[str, Any]) -> None:
    hits = [{"page": "guide.md", "line": 3, "count": 9}]
    term = {"phrase": "lease", "key_on": 3, "pages": 3, "mentions": 12, "most": hits, "headings": [], "defined": False}
    facts["keyphrases"]["terms"] = [{**term, "heading_count": 0}, {**term, "phrase": "epoch", "heading_count": 1}]

    titles = [item["title"] for item in plan_content(facts, Watcher())["write_next"]]

    assert "Explain “lease” once" in titles
    assert "Explain “epoch” once" not in titles


def test_a_subject_that_is_covered_is_shown_with_its_headings(facts: dict[str, Any], tmp_path: Path) -> None:
    strategy = plan_content({**facts, "topic": "guide"}, Watcher())
    review = criticise({**facts, "strategy": strategy}, Watcher())

    output = write_report({**facts, "review": review, "out_dir": str(tmp_path / "out")}, Watcher())

    text = Path(output["path"]).read_text(encoding="utf-8")
    assert "Headings that name it: Guide (`guide.md:1`)." in text


def test_the_readers_decide_how_hard_a_page_may_be(facts: dict[str, Any]) -> None:
    page = {"path": "guide.md", "lix": 55.0, "flesch": 40.0, "mean_sentence": 20.0, "minutes": 1.0}
    facts["readability"]["pages"] = [page]

    found = {
        audience: {finding["id"] for finding in plan_content({**facts, "audience": audience}, Watcher())["findings"]}
        for audience in ("newcomers", "experts")
    }

    assert "hard_page" in found["newcomers"]
    assert "hard_page" not in found["experts"]


def test_a_skipped_duplicates_step_is_no_obstacle(facts: dict[str, Any]) -> None:
    assert reviewed({**facts, "duplicates": None})["findings"]


def test_the_critic_drops_what_the_files_do_not_bear_out_any_more(facts: dict[str, Any]) -> None:
    readme = Path(facts["collection"]["root"]) / "README.md"
    readme.write_text("# Stitch\n\nRead [the guide](guide.md) and [this](lost.md).\n")

    review = reviewed(facts)

    assert review["dropped"] == [{"id": "missing_file", "places": 1}]
    assert review["changed"] == ["README.md"]
    assert next(finding for finding in review["findings"] if finding["id"] == "missing_file")["places"] == 1


def test_the_report_holds_ranked_findings_with_file_and_line(facts: dict[str, Any], tmp_path: Path) -> None:
    output = write_report({**facts, "review": reviewed(facts), "out_dir": str(tmp_path / "out")}, Watcher())

    text = Path(output["path"]).read_text(encoding="utf-8")
    assert text.index("### 1. Links that lead nowhere") < text.index(". Headings that skip a level\n")
    assert "- `README.md:3`: `lost.md`" in text
    assert "Not read: `broken.md` (binary)" in text
    assert output["summary"].startswith("3 pages, ")


def test_the_page_for_the_browser_shows_markup_and_never_runs_it(facts: dict[str, Any], tmp_path: Path) -> None:
    title = next(page for page in facts["collection"]["pages"] if page["path"] == "guide.md")
    title["title"] = "<script>alert(1)</script> | `x`"

    output = write_report({**facts, "review": reviewed(facts), "out_dir": str(tmp_path / "out")}, Watcher())

    html = Path(output["html_path"]).read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_a_second_run_writes_the_same_files_and_leaves_nothing_else(facts: dict[str, Any], tmp_path: Path) -> None:
    given = {**facts, "review": reviewed(facts), "out_dir": str(tmp_path / "out")}

    first, second = write_report(given, Watcher()), write_report(given, Watcher())

    assert first == second
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "content-strategy-t-1.html",
        "content-strategy-t-1.md",
    ]


def test_two_thread_ids_never_share_a_report() -> None:
    assert safe_name("a.b-C_1") == "a.b-C_1"
    assert len({safe_name("a:b"), safe_name("a_b"), safe_name("a/b")}) == 3
    assert "/" not in safe_name("../../etc")


def test_documents_without_a_fault_get_a_report_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "index.md").write_text("# Only page\n\nAll is well.\n")
    given = {"collection": collect({"paths": [str(tmp_path)]}, Watcher())}
    facts = {
        **given,
        "structure": analyse(given, Watcher()),
        "readability": readability(given),
        "keyphrases": keyphrases({**given, "pace_ms": 0}, Watcher()),
        "links": check_links(given, Watcher()),
        "duplicates": None,
    }

    output = write_report({**facts, "review": reviewed(facts), "out_dir": str(tmp_path / "out")}, Watcher())

    assert "no fault found" in output["summary"]


def test_every_output_is_json_and_small(facts: dict[str, Any]) -> None:
    review = reviewed(facts)

    assert len(json.dumps([facts, review], allow_nan=False)) < 100_000


def test_the_document_names_only_agents_that_there_are() -> None:
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))

    named = {step["agent"] for step in document["steps"]}
    known = {value.name for agent in agents() for value in vars(agent).values() if hasattr(value, "name")}
    assert named == known
