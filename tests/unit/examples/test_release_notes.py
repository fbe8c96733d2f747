"""The pure parts of the example `release-notes`: commits from a log, kinds of changes, sections, the notes, the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from app.bootstrap.code import load_code
from app.domain import document
from app.domain.errors import InvalidRequest
from app.examples.release_notes import DOCUMENT, doers
from app.examples.release_notes.commits import group_commits, read_log
from app.examples.release_notes.edition import compose
from app.examples.release_notes.kinds import Kind, kind_of, note_of
from app.examples.release_notes.place import find_place, write_notes
from app.examples.release_notes.writer import shown, write_section
from app.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


class Watcher:
    def __init__(self) -> None:
        self.text = ""

    def chunk(self, text: str) -> None:
        self.text += text


def sha(number: int) -> str:
    return f"{number:040x}"


def log(*messages: str) -> str:
    """What git_log gives for these messages, newest first; the newest has the highest number."""
    entries = [
        f"Commit: {sha(number)}\nAuthor: Ana\nDate: 2026-03-{number:02} 10:00:00+01:00\nMessage: {message}\n\n"
        for number, message in zip(range(len(messages), 0, -1), messages, strict=True)
    ]
    return "Commit history:\n" + "\n".join(entries)


def grouped(*messages: str, **ends: Any) -> dict[str, list[str]]:
    """The titles, each with its texts."""
    found = group_commits({"log": log(*messages), **ends})
    return {group["title"]: [one["text"] for one in group["commits"]] for group in found["groups"]}


@pytest.mark.parametrize(
    ("subject", "kind", "scope", "text"),
    [
        ("feat(api): streams", Kind.ADDED, "api", "streams"),
        ("fix!: refuse it", Kind.BREAKING, "", "refuse it"),
        ("drop(api)!: v1", Kind.BREAKING, "api", "v1"),
        ("chore(deps): bump httpx from 1 to 2", Kind.DEPENDENCIES, "", "bump httpx from 1 to 2"),
        ("Fix: a leak", Kind.FIXED, "", "a leak"),
        ("Fixed the leak", Kind.FIXED, "", "Fixed the leak"),
        ("net/http: avoid a second read", Kind.FIXED, "net/http", "avoid a second read"),
        ("[parser] Add comments", Kind.ADDED, "parser", "Add comments"),
        ("Escape names (CVE-2026-1234)", Kind.SECURITY, "", "Escape names (CVE-2026-1234)"),
        ("Bump the parser", Kind.DEPENDENCIES, "", "Bump the parser"),
        ("Éclair", Kind.OTHER, "", "Éclair"),
        ("Note: this is prose", Kind.OTHER, "Note", "this is prose"),
        ("http://example.org moved", Kind.OTHER, "", "http://example.org moved"),
        ("", Kind.OTHER, "", ""),
    ],
)
def test_the_kind_of_a_commit_is_told_by_its_type_or_its_verb(subject: str, kind: Kind, scope: str, text: str) -> None:
    assert kind_of(subject) == (kind, scope, text)


def test_a_footer_makes_a_change_a_breaking_one_and_is_told() -> None:
    body = "Why.\n\nBREAKING CHANGE: the key\n  is gone\n\nRefs: #12"
    assert kind_of("feat: new keys", body)[0] is Kind.BREAKING
    assert note_of(body) == "the key is gone"
    assert note_of("nothing is BREAKING CHANGE: here") == ""


def test_a_log_is_taken_apart_whatever_the_messages_hold() -> None:
    found = read_log(log("Näme\t<b>x</b>\n\nCommit: none\nAuthor: me", "", "One: two\nMessage: three"))
    assert [one["subject"] for one in found] == ["Näme <b>x</b>", "(no message)", "One: two"]
    assert [one["body"] for one in found] == ["Commit: none\nAuthor: me", "", "Message: three"]
    assert [one["id"] for one in found] == [sha(3), sha(2), sha(1)]


def test_the_form_of_older_servers_is_read_too() -> None:
    head = f"Commit history:\nCommit: '{sha(1)}'\nAuthor: <git.Actor \"Ana <a@b.c>\">\n"
    message = repr("It's\n\nso")
    old = f"{head}Date: 2026-01-01\nMessage: {message}\n"
    [found] = read_log(old)
    assert (found["id"], found["author"], found["subject"], found["body"]) == (sha(1), "Ana", "It's", "so")


def test_groups_come_in_the_order_of_their_weight_and_merges_are_left_out() -> None:
    messages = (
        "docs: all",
        "Merge branch 'x'",
        "fix: a",
        "feat: b",
        "feat!: c",
        "v1.2.0",
        "chore(release): 1.1.0",
        "squash! x",
    )
    found = group_commits({"log": log(*messages)})
    assert [group["title"] for group in found["groups"]] == ["Breaking changes", "Added", "Fixed", "Documentation"]
    assert (found["commits"], found["left_out"], found["date"]) == (8, 4, "2026-03-08")
    assert (found["first"], found["last"], found["authors"]) == (sha(1), sha(8), ["Ana"])


def test_where_there_are_only_merges_they_are_told_of() -> None:
    assert grouped("Merge branch 'x'", "Merge branch 'y'") == {
        "Other changes": ["Merge branch 'x'", "Merge branch 'y'"]
    }


def test_a_commit_that_was_taken_back_is_not_news_unless_it_came_back() -> None:
    fix, gone = "fix: a", "feat: b"
    assert grouped(f'Revert "feat: b"\n\nThis reverts commit {sha(1)}.', fix, gone) == {"Fixed": ["a"]}
    again = f"Revert the revert\n\nThis reverts commit {sha(2)}."
    assert grouped(again, f'Revert "feat: b"\n\nThis reverts commit {sha(1)}.', gone) == {"Added": ["b"]}
    earlier = f'Revert "feat: b"\n\nThis reverts commit {"f" * 40}.'
    assert list(grouped(earlier, fix)) == ["Fixed", "Taken back"]


def test_the_same_words_are_told_once_with_all_ids() -> None:
    [group] = group_commits({"log": log("fix: A leak", "fix: a leak")})["groups"]
    assert [one["ids"] for one in group["commits"]] == [[sha(2)[:10], sha(1)[:10]]]


def test_the_range_is_cut_at_its_ends() -> None:
    four = ("fix: 4", "fix: 3", "fix: 2", "fix: 1")
    shown_two = f"commit {sha(2)}\nAuthor: A <a@b.c>\n"
    assert grouped(*four, **{"from": "v1", "from_shown": shown_two}) == {"Fixed": ["4", "3"]}
    assert grouped(*four, **{"from": sha(1), "to": sha(3)}) == {"Fixed": ["3", "2"]}


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ({"from": "abcdef12"}, "raise `count`"),
        ({"from": "v1", "from_shown": "README.md\nsrc/"}, "no commit"),
        ({"to": "v1"}, "not the id of a commit"),
        ({"from": sha(2)}, "no commits to tell of"),
        ({"from": sha(2), "to": sha(1)}, "no commits to tell of"),
    ],
)
def test_a_range_that_cannot_be_is_refused_in_words(ends: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        grouped("fix: 2", "fix: 1", **ends)


def test_an_empty_history_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no commits"):
        group_commits({"log": "Commit history:\n"})


def test_a_section_is_a_list_that_is_also_streamed() -> None:
    commits = [
        {"ids": ["aa", "bb"], "scope": "api", "text": "let `x_*` be. "},
        {"ids": ["cc"], "scope": "", "text": "drop v1", "note": "use v2"},
    ]
    watcher = Watcher()
    text = write_section({"title": "Added", "commits": commits}, watcher)["text"]
    assert text.splitlines() == ["- **api:** let `x_*` be (`aa`, `bb`)", "- Drop v1. use v2 (`cc`)"]
    assert text in watcher.text


@pytest.mark.parametrize(
    "subject",
    [
        "<script>alert(1)</script>",
        "[x](javascript:y) ![z](w)",
        "*a* **b** _c_",
        "# no",
        "1. no",
        "a\\b",
        "a ` b",
        "- x",
        "~~x~~",
        "a|b",
    ],
)
def test_what_a_subject_holds_is_shown_as_it_is(subject: str) -> None:
    html = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", "table"]).render(f"- {shown(subject)}\n")
    plain = html.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert plain.strip() == f"<ul>\n<li>{subject}</li>\n</ul>"


def test_what_cannot_be_seen_is_left_out() -> None:
    assert shown("a\x00b\x1b[31m\u202ec\nd\t👩\u200d👧 snake_case 1.2") == "ab\\[31mc d 👩\u200d👧 snake_case 1.2"


HISTORY = group_commits({"log": log("fix: 2", "feat: 1")})


def composed(*sections: object) -> str:
    return compose({"project": "p", "version": "1.2", "history": HISTORY, "sections": sections})["text"]


def test_the_notes_are_the_sections_under_their_titles_and_always_the_same() -> None:
    text = composed({"text": "- one"}, "## Fixed\n- two\n")
    assert text.split("\n\n") == [
        "# p 1.2 (2026-03-02)",
        "## Added",
        "- one",
        "## Fixed",
        "- two",
        "*2 commits by Ana, 0000000000 to 0000000000*\n",
    ]
    assert text == composed({"text": "- one"}, "## Fixed\n- two\n")
    assert "## Added" not in composed({"text": " "}, "- two")


def test_a_section_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidRequest, match='"Added" should be a text'):
        composed({"sections": []}, "- two")


def place(folder: Path, **given: str) -> dict[str, Any]:
    whole = {"repository": str(folder), "project": "", "version": "v1/2 β", "out_dir": str(folder / "out"), "file": ""}
    return find_place({**whole, **given})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """As far as a folder tells."""
    top = tmp_path / "sewing"
    (top / ".git").mkdir(parents=True)
    (top / "docs").mkdir()
    return top


def test_the_repository_is_found_from_a_folder_in_it(repository: Path) -> None:
    found = place(repository / "docs")
    assert (found["repository"], found["project"]) == (str(repository), "sewing")
    assert found["file"] == str(repository / "docs/out/v1_2_β.md")
    assert not found["replaces"]


def test_a_bare_repository_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "sewing.git/objects").mkdir(parents=True)
    (tmp_path / "sewing.git/HEAD").touch()
    assert place(tmp_path / "sewing.git")["project"] == "sewing"


@pytest.mark.parametrize("given", [{"repository": "/"}, {"repository": "/nonesuch"}])
def test_a_folder_without_a_repository_is_refused(repository: Path, given: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match=r"no git repository|no folder"):
        place(repository, **given)


@pytest.mark.parametrize("name", ["../x.md", "/etc/x.md", ".", "a/../..", "link/x.md"])
def test_the_file_cannot_be_outside_of_its_folder(repository: Path, name: str) -> None:
    (repository / "out").mkdir()
    (repository / "out/link").symlink_to(repository)
    with pytest.raises(InvalidRequest, match="not within"):
        place(repository, file=name)


def test_notes_are_written_whole_and_a_second_time_not_at_all(repository: Path) -> None:
    file = repository / "out/deep/n.md"
    first = write_notes({"file": str(file), "text": "# ß"})
    assert (first["written"], first["bytes"], file.read_text("utf-8")) == (True, 5, "# ß\n")
    before = file.stat()
    assert write_notes({"file": str(file), "text": "# ß"}) == first | {"written": False}
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert write_notes({"file": str(file), "text": "new"})["written"]
    assert [one.name for one in file.parent.iterdir()] == ["n.md"]


@pytest.mark.parametrize(("name", "text"), [("out/taken/n.md", "x"), ("docs", "x"), ("out/n.md", "\ud800")])
def test_notes_that_cannot_be_written_fail_for_good(repository: Path, name: str, text: str) -> None:
    (repository / "out").mkdir()
    (repository / "out/taken").touch()
    with pytest.raises(InvalidRequest):
        write_notes({"file": str(repository / name), "text": text})


def test_the_document_names_only_what_the_example_brings() -> None:
    code = load_code(load_settings())
    spec = document.parse(DOCUMENT.read_text("utf-8"))
    assert spec.name == "release-notes"
    assert {"release-notes-place", "release-notes-group", "release-notes-compose", "release-notes-write"} <= set(
        code.functions.names("function")
    )
    assert "release-notes-writer" in code.functions.names("agent")
    assert len(doers()) == 5
