"""Step `compose`: the sections under their titles, with a heading, and a line at the end on what they are made of."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from app.domain.errors import InvalidRequest
from app.examples.release_notes.writer import shown
from app.runners.registration import function

Json = dict[str, Any]
_HEADING: Final = re.compile(r"\A\s*#{1,6} [^\n]*\n?")


@function("release-notes-compose")
def compose(input: Json) -> Json:  # noqa: A002 - the name is the functions' contract
    """The whole notes from `input.history` (what `group` gives) and `input.sections` (what each `draft` gives), as `text`.

    The same input gives the same text: the date is that of the newest commit.  Raises InvalidRequest for a section that is
    neither text nor an object with a `text`.
    """
    history = input["history"]
    head = f"# {shown(input['project'])} {shown(input['version'])} ({history['date']})"
    parts = [head]
    for group, section in zip(history["groups"], input["sections"], strict=True):
        if text := text_of(section, str(group["title"])):
            parts.append(f"## {group['title']}\n\n{text}")
    summary = summary_of(history)
    parts.append(f"*{shown(summary)}*")
    return {"text": "\n\n".join(parts) + "\n", "summary": summary}


def text_of(section: object, title: str) -> str:
    """What an agent gave for a section, without a heading of its own.  Raises InvalidRequest."""
    text = cast("Json", section).get("text") if isinstance(section, dict) else section
    if not isinstance(text, str):
        raise InvalidRequest(
            f'the section "{title}" should be a text, or an object with a `text`: see release-notes-writer'
        )
    return _HEADING.sub("", text).strip()


def summary_of(history: Json) -> str:
    """How many commits by whom, and from where to where."""
    authors = history["authors"]
    by = authors[0] if len(authors) == 1 else f"{len(authors)} people"
    ends = f"{history['first'][:10]} to {history['last'][:10]}"
    left = f"; {history['left_out']} of them are merges and the like, and left out" if history["left_out"] else ""
    return f"{history['commits']} commit{'' if history['commits'] == 1 else 's'} by {by}, {ends}{left}"
