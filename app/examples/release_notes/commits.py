"""Step `group`: takes the text of git_log apart into commits, keeps those of the range, and puts them into groups."""

from __future__ import annotations

import re
from ast import literal_eval
from typing import Any, Final

from app.domain.errors import InvalidRequest
from app.examples.release_notes.kinds import BREAKING, Kind, kind_of, note_of
from app.runners.registration import function

Json = dict[str, Any]
LONGEST_BODY: Final = 2_000
"""Characters of a commit's message, beyond its subject, that are handed on."""
_ENTRY: Final = re.compile(
    r"^Commit: '?(?P<id>[0-9a-f]{40,64})'?\nAuthor: (?P<author>.*)\nDate: (?P<date>.*)\nMessage: ", re.MULTILINE
)
_SHOWN: Final = re.compile(r"\A[Cc]ommit:? '?([0-9a-f]{40,64})\b")
_ACTOR: Final = re.compile(r'^<git\.Actor "(.*) <.*>">$')
_ABBREVIATED: Final = re.compile(r"[0-9a-f]{7,64}")
_REVERTS: Final = re.compile(r"^This reverts commit ([0-9a-f]{7,64})", re.MULTILINE)
_MERGE: Final = re.compile(r"^Merged? ")
_NO_NEWS: Final = re.compile(
    r"^(fixup!|squash!|amend!|(chore(\(release\))?: *)?(release|bump version( to)?|version)? *v?\d+(\.\d+)+\S*$)",
    re.IGNORECASE,
)


@function("release-notes-group")
def group_commits(input: Json) -> Json:  # noqa: A002 - the name is the functions' contract
    """The commits of `input.log` from after `from` to `to`, in groups for readers, the weightiest first.

    Left out, and counted: merges (the log tells them by their words alone), releases, and commits that are taken back
    within the range.  Raises InvalidRequest when an end of the range is not in the log, or nothing is left.
    """
    commits = within(read_log(str(input["log"])), _end(input, "from"), _end(input, "to"))
    if not commits:
        raise InvalidRequest("there are no commits to tell of: look at from, to, since, until and count")
    told = worth_telling(commits)
    groups: dict[Kind, list[Json]] = {}
    for commit in told:
        kind, entry = _entry(commit)
        groups.setdefault(kind, []).append(entry)
    return {
        "groups": [{"title": kind.value, "commits": _joined(groups[kind])} for kind in Kind if kind in groups],
        "commits": len(commits),
        "left_out": len(commits) - len(told),
        "authors": sorted({commit["author"] for commit in commits}, key=str.casefold),
        "first": commits[-1]["id"],
        "last": commits[0]["id"],
        "date": max(str(commit["date"])[:10] for commit in commits),
    }


def read_log(text: str) -> list[Json]:
    """What git_log gives, newest first: `id`, `author`, `date`, `subject` and `body` of each commit.

    A message that itself looks like an entry of a log counts as one: the text has nothing to tell them apart by.
    """
    entries = list(_ENTRY.finditer(text))
    ends = [*[entry.start() for entry in entries], len(text)][1:]
    return [_commit(entry, text[entry.end() : end]) for entry, end in zip(entries, ends, strict=True)]


def within(commits: list[Json], after: str | None, to: str | None) -> list[Json]:
    """Those listed from the commit `to` on and before the commit `after`, ids or their beginnings.  Raises InvalidRequest."""
    begin = 0 if to is None else _place(commits, to, "to")
    end = len(commits) if after is None else _place(commits, after, "from")
    return commits[begin:end]


def worth_telling(commits: list[Json]) -> list[Json]:
    """Those that readers are told of.  Where there is nothing but merges, the merges."""
    gone: set[str] = set()
    for commit in commits:  # newest first: a revert that is itself reverted takes nothing back
        if commit["id"] not in gone and (found := _REVERTS.search(str(commit["body"]))):
            taken = next((one["id"] for one in commits if one["id"].startswith(found[1])), None)
            gone |= {commit["id"], taken} if taken is not None else set()
    kept = [one for one in commits if one["id"] not in gone and not _NO_NEWS.match(one["subject"])]
    return [one for one in kept if not _MERGE.match(one["subject"])] or kept


def _end(given: Json, name: str) -> str | None:
    """The commit that an end of the range stands for."""
    if given.get(name) is None:
        return None
    shown = given.get(f"{name}_shown")
    if shown is None:
        return str(given[name])
    found = _SHOWN.match(str(shown))
    if found is None:
        raise InvalidRequest(f"`{name}` is {given[name]!r}, which is no commit, nor the name of one")
    return found[1]


def _place(commits: list[Json], wanted: str, name: str) -> int:
    if not _ABBREVIATED.fullmatch(wanted):
        raise InvalidRequest(f"`{name}` is {wanted!r}, which is not the id of a commit")
    for place, commit in enumerate(commits):
        if commit["id"].startswith(wanted):
            return place
    raise InvalidRequest(
        f"the commit {wanted[:10]} of `{name}` is not among the {len(commits)} that were read, back from the one that is "
        "checked out: raise `count`, or look at since and until"
    )


def _commit(entry: re.Match[str], message: str) -> Json:
    author = entry["author"]
    if entry[0].startswith("Commit: '"):  # as older versions of the server write it
        actor = _ACTOR.match(author)
        author, message = actor[1] if actor else author, str(literal_eval(message.strip()))
    subject, _, body = message.strip().partition("\n")
    return {
        "id": entry["id"],
        "author": " ".join(author.split()),
        "date": entry["date"].strip(),
        "subject": " ".join(subject.split()) or "(no message)",
        "body": body.strip(),
    }


def _entry(commit: Json) -> tuple[Kind, Json]:
    kind, scope, text = kind_of(str(commit["subject"]), str(commit["body"]))
    entry: Json = {
        "ids": [commit["id"][:10]],
        "scope": scope,
        "text": text,
        "body": str(commit["body"])[:LONGEST_BODY],
        "author": commit["author"],
    }
    return kind, entry | ({"note": note_of(str(commit["body"]))} if kind is BREAKING else {})


def _joined(entries: list[Json]) -> list[Json]:
    """The same words told once, with all the ids: a change and its cherry-pick."""
    found: dict[tuple[str, str], Json] = {}
    for entry in entries:
        known = found.setdefault((entry["scope"].casefold(), entry["text"].casefold()), entry)
        if known is not entry:
            known["ids"] += entry["ids"]
    return list(found.values())
