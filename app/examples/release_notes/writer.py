"""Step `draft`: one section of the notes, as a list.  It stands in for a model, whose place it leaves to whoever registers
another agent of its name."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, Protocol

from app.runners.registration import agent

Json = dict[str, Any]
_CODE: Final = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_SPECIAL: Final = re.compile(r"([\\*<>\[\]|~]|(?<!\w)_|_(?!\w))")
_OPENING: Final = re.compile(r"^([#+=-])|^(\d+)([.)])(?=\s|$)")


class Context(Protocol):
    """The part of a step's context that is used here."""

    def chunk(self, text: str) -> None:
        """Send a piece of text to those who watch."""
        ...


@agent(
    "release-notes-writer",
    input_schema={
        "type": "object",
        "required": ["project", "version", "title", "commits"],
        "properties": {"title": {"type": "string"}, "commits": {"type": "array", "items": {"type": "object"}}},
    },
    tags=["example"],
)
def write_section(input: Json, ctx: Context) -> Json:  # noqa: A002 - the name is the agents' contract
    """Writes one section of release notes from its commits: `{"text": MARKDOWN}`, as an agent of the kind llm gives it."""
    text = "\n".join(line_of(commit) for commit in input["commits"])
    ctx.chunk(f"{input['title']}\n{text}\n\n")
    return {"text": text}


def line_of(commit: Json) -> str:
    """One entry: where, what, and the commits, as an item of a Markdown list."""
    scope = f"**{shown(commit['scope'])}:** " if commit.get("scope") else ""
    text = str(commit["text"]).rstrip(". ")
    first = text if scope or not text[:1].isalpha() else text[:1].upper() + text[1:]
    note = f". {shown(commit['note'])}" if commit.get("note") else ""
    ids = ", ".join(f"`{one}`" for one in commit["ids"])
    return f"- {scope}{shown(first)}{note} ({ids})"


def shown(text: object) -> str:
    """`text` on one line so that Markdown shows it as it is, save inline code; what cannot be seen is left out."""
    flat = " ".join(str(text).split())
    flat = "".join(
        letter for letter in flat if unicodedata.category(letter) not in ("Cc", "Cs", "Cf") or letter == "\u200d"
    )
    parts: list[str] = []
    end = 0
    for span in _CODE.finditer(flat):
        parts += [_escaped(flat[end : span.start()]), span[0]]
        end = span.end()
    return _OPENING.sub(
        lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}",
        "".join([*parts, _escaped(flat[end:])]),
    )


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("`", "\\`")
