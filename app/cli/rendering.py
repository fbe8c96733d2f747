"""What the commands print: JSON for programs, tables and single lines for people, complaints on stderr."""

from __future__ import annotations

import json
import re
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from app.cli.options import Given

JsonObject: TypeAlias = "Mapping[str, Any]"

STYLES: Final[dict[str, str]] = {
    "completed": "green",
    "running": "cyan",
    "retrying": "yellow",
    "waiting": "yellow",
    "paused": "yellow",
    "failed": "red",
    "interrupted": "red",
    "cancelled": "magenta",
    "skipped": "dim",
    "pending": "dim",
    "open": "yellow",
    "answered": "green",
    "timed_out": "red",
    "closed": "dim",
    "taken": "green",
}
MARKS: Final[dict[str, tuple[str, str]]] = {
    "completed": ("✓", "+"),
    "running": ("▶", ">"),
    "retrying": ("↻", "~"),
    "waiting": ("…", "."),
    "paused": ("‖", "="),
    "failed": ("✗", "x"),
    "interrupted": ("✗", "x"),
    "cancelled": ("⊘", "x"),
    "skipped": ("-", "-"),
    "pending": ("·", "."),
    "open": ("…", "."),
    "answered": ("✓", "+"),
    "taken": ("✓", "+"),
    "timed_out": ("✗", "x"),
    "closed": ("-", "-"),
}
"""A status in one character, and where stdout cannot write that, in ASCII."""
_WHOLES: Final = {"invalid_input": "(input)", "invalid_agent": "(agent)"}
_WHOLE: Final = re.compile(r"\(\w+\)(?=: )")
"""What a problem's detail calls the whole of what was sent."""


def console() -> Console:
    """stdout, as it is now; lines are never cut when it is no terminal."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def complain(message: str) -> None:
    """One line on stderr."""
    print(f"error: {message}", file=sys.stderr)


def remark(message: str) -> None:
    """One line on stderr that is no error."""
    print(message, file=sys.stderr, flush=True)


def program() -> str:
    """How to call this command line from here, to be copied."""
    if shutil.which("backstitch"):
        return "backstitch"
    script = Path(sys.executable).with_name("backstitch")
    if not script.exists():
        return f"{sys.executable} -m app.cli"
    here = Path.cwd()
    return str(script.relative_to(here) if script.is_relative_to(here) else script)


def narrate(o: Given, message: str) -> None:
    """One line of what a command is doing; on stderr when stdout is for programs."""
    print(message, file=sys.stderr if o.json else sys.stdout, flush=True)


def print_json(document: object, *, line: bool = False) -> None:
    """`document` on stdout, on one line if wanted.

    For programs in ASCII: no encoding can harm it, and no line reader takes U+2028 for the end of a line.
    """
    print(json.dumps(document, ensure_ascii=not sys.stdout.isatty(), indent=None if line else 2), flush=True)


def answer(o: Given, document: object, *words: str | Text) -> int:
    """What came of a command that did one thing: the document for programs, else one line of words.  The exit code."""
    if o.json:
        print_json(document)
    else:
        say(*words)
    return 0


def told(problem: JsonObject, status: int) -> str:
    """A problem+json document in one line, each sentence once: what, why, where, and the code to look it up by."""
    what = str(problem.get("title") or f"HTTP {status}")
    why = str(problem.get("detail") or "")
    faults = list(_faults(problem, why))
    where = _where(faults)
    if where.startswith(why) or any(why in {message, f"{place}: {message}"} for place, message in faults):
        why = ""
    else:
        where = _where([fault for fault in faults if not _says(why, *fault)])
    parts = [what, *(part for part in (why, where) if part and part != what)]
    code = problem.get("code")
    return " ".join(": ".join(parts).split()) + (f" [{code}]" if code else "")


def _where(faults: Iterable[tuple[str, str | None]]) -> str:
    """What is wrong, each with all its places."""
    places: dict[str | None, dict[str, None]] = {}
    for place, message in faults:
        places.setdefault(message, {})[place] = None
    return "; ".join(", ".join(each) + (f": {message}" if message else "") for message, each in places.items())


def _says(why: str, place: str, message: str | None) -> bool:
    """Whether a sentence tells all that a fault does."""
    last = place.rpartition("/")[2]
    return place in why if message is None else message in why and (place.startswith("(") or last in why)


def _faults(problem: JsonObject, why: str) -> Iterable[tuple[str, str | None]]:
    """Where something is wrong, and what; the whole is called as `why` calls it."""
    found = problem.get("errors") or problem.get("problems")
    if not isinstance(found, list):
        return
    named = _WHOLE.match(why)
    whole = named[0] if named else _WHOLES.get(str(problem.get("code")), "(document)")
    for item in cast("list[object]", found):
        if not isinstance(item, dict):
            yield str(item), None
            continue
        fault = cast("dict[str, object]", item)
        pointer = fault.get("pointer") or fault.get("path") or whole
        yield str(pointer), str(fault.get("message") or fault.get("detail") or fault.get("msg") or "invalid")


def encodable(marks: str) -> bool:
    """Whether stdout can write these characters."""
    stdout = getattr(sys.stdout, "rich_proxied_file", sys.stdout)  # what rich puts before it has no encoding
    try:
        marks.encode(stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def encodes(text: str) -> bool:
    """Whether `text` is Unicode; what an argument had that is not UTF-8 is not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def mark(status: str) -> str:
    """One character for a status."""
    symbol, plain = MARKS.get(status, ("?", "?"))
    return symbol if encodable(symbol) else plain


def styled(status: str) -> Text:
    """A status with its mark and colour."""
    return Text(f"{mark(status)} {status}", style=STYLES.get(status, ""))


_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def duration(ms: object) -> str:
    """Milliseconds as a person says them; nothing for nothing."""
    if not isinstance(ms, int | float):
        return ""
    if ms < 1000:  # noqa: PLR2004
        return f"{ms:.0f} ms"
    if ms < _MINUTE:
        return f"{ms / 1000:.1f} s"
    units = (_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1000, "s")
    whole, its, part, its_part = next(one for one in units if ms >= one[0])
    return f"{int(ms // whole)} {its} {int(ms % whole // part)} {its_part}"


def clock(at: object, *, date: bool = False) -> str:
    """An RFC 3339 time on the local clock; what cannot be read stands as it is."""
    try:
        local = datetime.fromisoformat(str(at)).astimezone()
    except ValueError:
        return str(at) if at else ""
    return local.strftime("%Y-%m-%d %H:%M:%S") if date else local.strftime("%H:%M:%S.%f")[:-3]


def failure(error: object) -> str:
    """The `error` of a thread or step in one line; nothing for null."""
    if not isinstance(error, dict):
        return str(error or "")
    found = cast("dict[str, object]", error)
    step = f"step {found['step_id']}: " if found.get("step_id") else ""
    kind = f" [{found['kind']}]" if found.get("kind") else ""
    return step + " ".join(str(found.get("message") or "failed").split()) + kind


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table; no frame, so that it can be cut and pasted."""
    grid = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    out = console()
    if not out.is_terminal:
        out.width = 1000  # a pipe has no width to fit
    out.print(grid, soft_wrap=False)


def say(*parts: str | Text) -> None:
    """One line on stdout; nothing in it is taken for markup."""
    line = Text(" ").join(Text(part) if isinstance(part, str) else part for part in parts)
    console().print(line, soft_wrap=True)
