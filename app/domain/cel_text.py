"""Reading the text of a CEL expression: its tokens, the names it takes from outside, and how it may grow with its data.

The CEL library parses and evaluates; this only tells what it does not: which names are free (it lists the `x` of
`.map(x, ...)` too), which parts of a variable are used, and how comprehensions are nested.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

MAX_NESTING: Final = 2
"""Comprehensions inside comprehensions: each level multiplies the work by the length of a list."""

_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>(?:[bB]?[rR]|[rR][bB])(?:\"{3}.*?\"{3}|'{3}.*?'{3}|\"[^\"\n]*\"|'[^'\n]*')
      | [bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'))
  | (?P<number>0[xX][0-9a-fA-F]+[uU]?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN: Final = re.compile(
    r"""\s*([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*|\[\d{1,9}\]|\["[^"\\\n]*"\]|\['[^'\\\n]*'\])*)\s*""", re.ASCII
)
_PLAIN_PART: Final = re.compile(r"""\.(\w+)|\[(\d+)\]|\["([^"]*)"\]|\['([^']*)'\]""", re.ASCII)

LITERALS: Final = frozenset({"true", "false", "null", "in"})
RESERVED: Final = LITERALS | frozenset(
    {
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "namespace",
        "package", "return", "var", "void", "while",
    }
)  # fmt: skip
"""Words that no step may be called by: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax"""
_TYPES: Final = frozenset(
    {
        "bool", "bytes", "double", "duration", "dyn", "int", "list", "map", "null_type", "string", "timestamp", "type",
        "uint",
    }
)  # fmt: skip
_GATHERING: Final = frozenset({"map", "filter", "exists_one", "existsOne"})
_MACROS: Final = _GATHERING | {"all", "exists"}
_OPEN: Final = {"(": ")", "[": "]", "{": "}"}


class Token(NamedTuple):
    """A piece of an expression that is not white space; `start` and `end` are places in the text."""

    kind: str
    text: str
    start: int
    end: int


class _Binding(NamedTuple):
    name: str
    macro: str
    first: int
    last: int

    def holds(self, place: int) -> bool:
        return self.first <= place < self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the text of an expression tells.

    `paths` are the parts of variables that it uses (`("input", "topic")`), `inner_paths` those used inside the body of
    a comprehension.  `depth` is how deep comprehensions nest, `gathers` whether one builds a list, `growth` how many
    times larger than its data the result can be because comprehensions use their variable more than once, `uses` how
    often the most used path stands there.
    """

    paths: frozenset[tuple[str, ...]]
    inner_paths: frozenset[tuple[str, ...]]
    depth: int
    gathers: bool
    growth: int
    uses: int


def tokens(text: str, start: int = 0, *, until_brace: bool = False) -> list[Token]:
    """The tokens of `text` from `start`; with `until_brace` up to the `}` that closes what was open before.

    Raises ValueError for what cannot be part of CEL, or brackets that do not match.
    """
    found: list[Token] = []
    closing: list[str] = []
    place = start
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"cannot read {text[place : place + 20]!r}")
        if until_brace and not closing and match[0] == "}":
            return found
        if match[0] in _OPEN:
            closing.append(_OPEN[match[0]])
        elif match.lastgroup == "sign" and match[0] in ")]}" and (not closing or closing.pop() != match[0]):
            raise ValueError(f"a {match[0]!r} that closes nothing")
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match[0], place, match.end()))
        place = match.end()
    if closing or until_brace:
        raise ValueError(f"a {closing[-1] if closing else '}'!r} is missing")
    return found


def plain_path(text: str) -> tuple[str | int, ...] | None:
    """The keys of an expression that only walks down (`a.b[0]["c"]`), None for every other one."""
    match = _PLAIN.fullmatch(text)
    if match is None or match[1] in RESERVED or (match[1] in _TYPES and not match[2]):
        return None
    return (match[1], *(_key(part) for part in _PLAIN_PART.finditer(match[2])))


def _key(part: re.Match[str]) -> str | int:
    return int(part[2]) if part[2] else next(key for key in part.group(1, 3, 4) if key is not None)


def read(found: list[Token]) -> Reading:
    """What the tokens of a whole expression tell.  Raises ValueError for comprehensions nested too deep."""
    bindings = _bindings(found)
    depth = max((sum(b.holds(a.first) for b in bindings) for a in bindings), default=0)
    if depth > MAX_NESTING:
        raise ValueError(f"comprehensions (map, filter, all, exists) nest more than {MAX_NESTING} deep")
    paths: list[tuple[str, ...]] = []
    inner: set[tuple[str, ...]] = set()
    uses = dict.fromkeys(bindings, 0)
    for place, token in enumerate(found):
        if not _is_variable(found, place):
            continue
        binding = next((b for b in reversed(bindings) if b.name == token.text and b.holds(place)), None)
        if binding is not None:
            uses[binding] += 1
            continue
        paths.append(_path(found, place))
        if any(b.holds(place) for b in bindings):
            inner.add(paths[-1])
    growth = 1
    for count in uses.values():
        growth *= max(1, count)
    return Reading(
        paths=frozenset(paths),
        inner_paths=frozenset(inner),
        depth=depth,
        gathers=any(b.macro in _GATHERING for b in bindings),
        growth=growth,
        uses=max((paths.count(path) for path in set(paths)), default=1),
    )


def _bindings(found: list[Token]) -> list[_Binding]:
    bindings: list[_Binding] = []
    for place in range(len(found) - 4):
        dot, macro, bracket, name, comma = (token.text for token in found[place : place + 5])
        if dot == "." and macro in _MACROS and bracket == "(" and found[place + 3].kind == "name" and comma == ",":
            bindings.append(_Binding(name, macro, place + 5, _closing(found, place + 2)))
    return bindings


def _closing(found: list[Token], opening: int) -> int:
    level = 0
    for place in range(opening, len(found)):
        if found[place].kind == "sign":
            level += (found[place].text in _OPEN) - (found[place].text in ")]}")
        if level == 0:
            return place
    return len(found)


def _text(found: list[Token], place: int) -> str:
    return found[place].text if 0 <= place < len(found) else ""


def _is_variable(found: list[Token], place: int) -> bool:
    token = found[place]
    if token.kind != "name" or token.text in LITERALS or _text(found, place - 1) == ".":
        return False
    after = _text(found, place + 1)
    if after == "(" or (token.text in _TYPES and after not in {".", "["}):
        return False
    # `x` in `.map(x, ...)` declares a variable
    return not (after == "," and _text(found, place - 1) == "(" and _text(found, place - 2) in _MACROS)


def _path(found: list[Token], place: int) -> tuple[str, ...]:
    keys = [found[place].text]
    while _text(found, place + 1) == "." and _text(found, place + 3) != "(" and found[place + 2].kind == "name":
        keys.append(found[place + 2].text)
        place += 2
    return tuple(keys)
