"""Each step of the example workflow on small real documents."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import InvalidRequest
from app.examples.content_strategy import reading
from app.examples.content_strategy.collect import collect
from app.examples.content_strategy.duplicates import find_duplicates
from app.examples.content_strategy.keyphrases import keyphrases
from app.examples.content_strategy.links import check_links
from app.examples.content_strategy.readability import readability
from app.examples.content_strategy.structure import analyse

PASSAGE = (
    "Every value is stored once and checked by its hash, so that a damaged row is seen at once and the thread goes on "
    "from the last version that is whole."
)


class Watcher:
    """A step's context that keeps what the step tells."""

    def __init__(self, thread_id: str = "t-1") -> None:
        self.thread_id = thread_id
        self.told: list[tuple[float, str]] = []
        self.chunks: list[str] = []

    def progress(self, fraction: float, message: str = "") -> None:
        self.told.append((fraction, message))

    def chunk(self, text: str) -> None:
        self.chunks.append(text)


def collected(folder: Path, **files: str) -> dict[str, Any]:
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return collect({"paths": [str(folder)]}, Watcher())


def rules(output: dict[str, Any]) -> dict[str, int]:
    return {issue["rule"]: issue["line"] for issue in output["issues"]}


def test_the_inventory_names_each_page_with_size_and_hash(tmp_path: Path) -> None:
    watcher = Watcher()
    (tmp_path / "a.md").write_text("# One\n\nThree words here.\n")

    output = collect({"paths": [str(tmp_path)]}, watcher)

    page = output["pages"][0]
    assert (page["path"], page["title"], page["words"], page["bytes"]) == ("a.md", "One", 3, 25)
    assert len(page["sha256"]) == 64
    assert watcher.told == [(1.0, "a.md")]


def test_empty_binary_and_badly_encoded_files_are_reported_not_crashed_on(tmp_path: Path) -> None:
    (tmp_path / "binary.md").write_bytes(b"\x89PNG\x00\x00")
    (tmp_path / "empty.md").write_text("  \n")
    (tmp_path / "latin.txt").write_bytes("caf\u00e9".encode("latin-1"))
    output = collected(tmp_path, good_md="# Good\n")

    assert [page["path"] for page in output["pages"]] == ["good.md"]
    reasons = {item["path"]: item["reason"] for item in output["unreadable"]}
    assert reasons == {"binary.md": "binary", "empty.md": "empty", "latin.txt": "not UTF-8 at byte 3"}


def test_a_broken_symlink_is_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")

    output = collected(tmp_path, good_md="# Good\n")

    assert output["unreadable"] == [{"path": "gone.md", "reason": "No such file or directory"}]


@pytest.mark.parametrize("name", ["missing", "."])
def test_nothing_to_read_is_refused_for_good(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"no such file|no \.htm"):
        collect({"paths": [str(tmp_path / name)]}, Watcher())


def test_without_paths_the_projects_own_docs_are_read() -> None:
    output = collect({}, Watcher())

    assert any(page["path"].endswith("content-strategy.md") for page in output["pages"])


def test_an_installation_without_docs_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reading, "__file__", str(tmp_path / "a" / "b" / "c" / "reading.py"))

    with pytest.raises(InvalidRequest, match="give `paths`"):
        collect({}, Watcher())


def test_hidden_and_installed_folders_are_left_out(tmp_path: Path) -> None:
    for folder in (".git", "node_modules"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.md").write_text("# X\n")

    output = collected(tmp_path, good_md="# Good\n")

    assert [page["path"] for page in output["pages"]] == ["good.md"]


def test_a_heading_that_skips_a_level_is_found_with_its_line(tmp_path: Path) -> None:
    collection = collected(tmp_path, a_md="# Top\n\ntext\n\n### Too deep\n\ntext\n")

    output = analyse({"collection": collection}, Watcher())

    assert rules(output) == {"heading_jump": 5}
    assert output["issues"][0]["quote"] == "### Too deep"


def test_faults_of_structure_are_found_where_they_stand(tmp_path: Path) -> None:
    text = "text first\n\n## Empty\n\n## Code\n\n```\na\nb\n```\n\nTODO: write this\n\n![](x.png)\n"
    collection = collected(tmp_path, a_md=text)

    output = analyse({"collection": collection}, Watcher())

    expected = {"no_title": 1, "empty_section": 3, "code_language": 7, "unfinished": 12, "missing_alt": 14}
    assert rules(output) == expected


def test_code_that_shows_a_heading_is_no_heading(tmp_path: Path) -> None:
    collection = collected(tmp_path, a_md="# Top\n\n```sh\n#### not a heading\n```\n")

    assert analyse({"collection": collection}, Watcher())["issues"] == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("readme_md", "entry"),
        ("quickstart_md", "tutorial"),
        ("http-api_md", "reference"),
        ("concepts_md", "explanation"),
    ],
)
def test_the_kind_of_a_page_is_told_from_its_name(tmp_path: Path, name: str, kind: str) -> None:
    output = analyse({"collection": collected(tmp_path, **{name: "# Page\n\ntext\n"})}, Watcher())

    assert output["pages"][0]["kind"] == kind


def test_html_is_read_with_its_lines(tmp_path: Path) -> None:
    html = "<title>T</title>\n<h1>A</h1>\n<p>words here</p>\n<h4>B</h4>\n<img src='x.png'>\n"
    output = analyse({"collection": collected(tmp_path, a_html=html)}, Watcher())

    assert rules(output) == {"heading_jump": 4, "missing_alt": 5}


def test_html_gives_its_links_anchors_and_code(tmp_path: Path) -> None:
    html = (
        '<?xml version="1.0"?>\n<h1 id="top-of-it">A</h1>\n<p><a name="old"></a><a href="#old">x</a></p>\n'
        '<pre><code class="language-sh">a\nb</code></pre>\n<a href="#gone">y</a><img src="a.html" alt="">\n'
    )
    collection = collected(tmp_path, a_html=html)

    output = check_links({"collection": collection}, Watcher())

    assert [(item["target"], item["line"]) for item in output["broken"]] == [("#gone", 6)]
    assert rules(analyse({"collection": collection}, Watcher())) == {}


def test_restructured_text_is_read_with_titles_and_links(tmp_path: Path) -> None:
    text = "Title\n=====\n\nSee `there <gone.rst>`_ for more.\n\nPart\n----\n\n.. code-block:: python\n\n   x = 1\n"
    collection = collected(tmp_path, a_rst=text)

    assert analyse({"collection": collection}, Watcher())["pages"][0]["outline"] == ["Title", "Part"]
    assert check_links({"collection": collection}, Watcher())["broken"][0]["line"] == 4


def test_plain_words_read_easier_than_long_ones(tmp_path: Path) -> None:
    easy = "The cat sat on the mat. The dog ran to the sea. " * 8
    hard = (
        "Institutional interoperability considerations necessitate comprehensive organisational transformation. " * 10
    )
    collection = collected(tmp_path, easy_md=easy, hard_md=hard, short_md="Too short to say.")

    scored = {page["path"]: page for page in readability({"collection": collection})["pages"]}

    assert set(scored) == {"easy.md", "hard.md"}
    assert (scored["easy.md"]["flesch"] > 80, scored["hard.md"]["flesch"] < 0) == (True, True)
    assert (scored["easy.md"]["lix"] < 30, scored["hard.md"]["lix"] > 60) == (True, True)


def test_flesch_is_left_out_for_other_languages(tmp_path: Path) -> None:
    collection = collected(tmp_path, a_md="Der Hund lief an das Meer und sah die Sonne. " * 10)

    output = readability({"collection": collection, "language": "de"})

    assert output["pages"][0]["flesch"] is None
    assert output["pages"][0]["lix"] > 0


def test_a_sentence_that_is_too_long_is_quoted(tmp_path: Path) -> None:
    collection = collected(tmp_path, a_md="# A\n\nShort one. " + "word after word " * 20 + ".\n")

    (found,) = readability({"collection": collection})["long_sentences"]

    assert (found["page"], found["line"], found["words"]) == ("a.md", 3, 60)


def test_key_phrases_are_told_page_by_page(tmp_path: Path) -> None:
    text = (
        "A checkpoint keeps the state. Each checkpoint has a version. The engine writes a checkpoint after each step. "
    )
    watcher = Watcher()
    collection = collected(tmp_path, a_md=text * 3, b_md=text * 3, c_md="short")

    output = keyphrases({"collection": collection, "pace_ms": 0}, watcher)

    assert [fraction for fraction, _ in watcher.told] == [pytest.approx(n / 3) for n in (1, 2, 3)]
    term = next(term for term in output["terms"] if term["phrase"] == "checkpoint")
    assert (term["pages"], term["mentions"], term["key_on"], term["heading_count"]) == (2, 18, 2, 0)
    assert output["pages"][2]["phrases"] == []


@pytest.mark.parametrize("odd", ["[" * 50_000, "word" * 50_000, "a1 " * 50_000, "=" * 50_000, "`" * 9_999 + " x"])
def test_a_page_that_no_person_would_write_loses_its_phrases_at_most(tmp_path: Path, odd: str) -> None:
    collection = collected(tmp_path, a_md=f"{odd}\n\n{PASSAGE} {PASSAGE}\n")

    output = keyphrases({"collection": collection, "pace_ms": 0}, Watcher())

    assert [page["path"] for page in output["pages"]] == ["a.md"]


def test_a_passage_told_twice_is_one_group_with_both_places(tmp_path: Path) -> None:
    collection = collected(
        tmp_path, a_md=f"# A\n\n{PASSAGE}\n", b_md=f"# B\n\nOther.\n\n{PASSAGE.replace('once', 'twice', 1)}\n"
    )

    output = find_duplicates({"collection": collection})

    (group,) = output["groups"]
    assert group["places"] == [{"page": "a.md", "line": 3}, {"page": "b.md", "line": 5}]
    assert 90 < group["similarity"] < 100


def test_a_page_that_vanished_since_is_left_out(tmp_path: Path) -> None:
    collection = collected(tmp_path, a_md="# A\n", b_md="# B\n")
    (tmp_path / "a.md").unlink()

    assert [page["path"] for page in analyse({"collection": collection}, Watcher())["pages"]] == ["b.md"]


def test_the_heavy_steps_run_in_a_process_of_their_own(tmp_path: Path) -> None:
    collection = collected(tmp_path, a_md=f"{PASSAGE}\n\n{PASSAGE}\n")

    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        output = pool.submit(find_duplicates, {"collection": collection}).result(timeout=60)

    assert output["group_count"] == 1
