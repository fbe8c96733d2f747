"""What kind of change a commit is: by its conventional type where it has one, else by the verb it begins with."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final


class Kind(Enum):
    """The sections of the notes, in their order; the value is the title."""

    BREAKING = "Breaking changes"
    SECURITY = "Security"
    ADDED = "Added"
    CHANGED = "Changed"
    FASTER = "Performance"
    DEPRECATED = "Deprecated"
    REMOVED = "Removed"
    FIXED = "Fixed"
    REVERTED = "Taken back"
    DOCS = "Documentation"
    DEPENDENCIES = "Dependencies"
    INTERNAL = "Behind the scenes"
    OTHER = "Other changes"


BREAKING: Final = Kind.BREAKING
_TYPES: Final = {
    Kind.SECURITY: "security sec",
    Kind.ADDED: "feat feature add new",
    Kind.CHANGED: "change improve improvement enhancement ui i18n",
    Kind.FASTER: "perf performance",
    Kind.DEPRECATED: "deprecate deprecated",
    Kind.REMOVED: "remove removed",
    Kind.FIXED: "fix bugfix bug hotfix",
    Kind.REVERTED: "revert",
    Kind.DOCS: "docs doc documentation",
    Kind.DEPENDENCIES: "deps dependencies dep",
    Kind.INTERNAL: "refactor test tests build ci chore style lint wip",
}
_VERBS: Final = {
    Kind.ADDED: "add adds added allow allows allowed introduce introduces introduced implement implements implemented support "
    "supports supported enable enables enabled provide provides provided offer offers create creates created expose exposes",
    Kind.CHANGED: "change changes changed update updates updated improve improves improved make makes made use uses used "
    "rename renames renamed move moves moved replace replaces replaced rework reworks extend extends show shows let lets "
    "tell tells keep keeps switch switches adjust adjusts rewrite rewrites require requires simplify simplifies set sets",
    Kind.FASTER: "speed optimise optimize optimises optimizes accelerate cache caches",
    Kind.DEPRECATED: "deprecate deprecates deprecated",
    Kind.REMOVED: "remove removes removed drop drops dropped delete deletes deleted",
    Kind.FIXED: "fix fixes fixed correct corrects corrected repair repairs resolve resolves resolved prevent prevents avoid "
    "avoids handle handles mend mends restore restores",
    Kind.REVERTED: "revert reverts reverted",
    Kind.DOCS: "document documents documented doc docs readme changelog",
    Kind.DEPENDENCIES: "bump bumps upgrade upgrades pin pins",
    Kind.INTERNAL: "refactor refactors refactored test tests tested try reformat format lint clean cleanup tidy ci split",
    Kind.SECURITY: "harden hardens sanitize sanitise",
}
_KIND_OF_TYPE: Final = {word: kind for kind, words in _TYPES.items() for word in words.split()}
_KIND_OF_VERB: Final = {word: kind for kind, words in _VERBS.items() for word in words.split()}
_CONVENTIONAL: Final = re.compile(
    r"^(?P<type>[A-Za-z0-9]+)(?:\((?P<scope>[^()]{1,60})\))?(?P<bang>!)?: *(?P<text>\S.*)$"
)
_AREA: Final = re.compile(r"^(?P<scope>[\w./+-]{1,40}(?:, ?[\w./+-]{1,40})*): +(?P<text>\S.*)$")
_BRACKETED: Final = re.compile(r"^\[(?P<scope>[^\[\]]{1,40})\] *(?P<text>\S.*)$")
_BREAKING: Final = re.compile(r"^BREAKING[ -]CHANGE: *(.+?)(?=^\S+: |^\s*$|\Z)", re.MULTILINE | re.DOTALL)
_SECURITY: Final = re.compile(r"\b(CVE-\d{4}-\d+|GHSA-[\w-]+|vulnerabilit(?:y|ies))\b", re.IGNORECASE)
_WORD: Final = re.compile(r"[A-Za-z]+")


def kind_of(subject: str, body: str = "") -> tuple[Kind, str, str]:
    """The kind of a commit, the part of the project it names ("" for none), and what is left of the subject."""
    conventional = _CONVENTIONAL.match(subject)
    kind = _KIND_OF_TYPE.get(conventional["type"].lower()) if conventional else None
    if conventional is not None and (kind is not None or conventional["bang"]):
        scope, text = conventional["scope"] or "", conventional["text"]
        if scope.lower() in ("deps", "deps-dev"):
            kind, scope = Kind.DEPENDENCIES, ""
        broken = bool(conventional["bang"])
    else:
        area = _AREA.match(subject) or _BRACKETED.match(subject)
        scope, text = (area["scope"], area["text"]) if area else ("", subject)
        kind, broken = None, False
    if broken or _BREAKING.search(body):
        return Kind.BREAKING, scope, text
    if _SECURITY.search(subject):
        return Kind.SECURITY, scope, text
    return kind or _by_verb(text), scope, text


def note_of(body: str) -> str:
    """What a message says under BREAKING CHANGE, on one line; "" for nothing."""
    found = _BREAKING.search(body)
    return " ".join(found[1].split()) if found else ""


def _by_verb(text: str) -> Kind:
    word = _WORD.match(text)
    return _KIND_OF_VERB.get(word[0].lower(), Kind.OTHER) if word else Kind.OTHER
