"""Templates: JSON values with `{expression}` holes in their texts, and conditions, which are bare expressions.

`"{a.b}"` alone keeps the JSON type of its value; inside text a value is written as text.  `{{` and `}}` are
literal braces.  Compiling finds every fault; rendering walks only what has holes.  There is a limit to the holes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import cel_text, jsontext
from app.domain.errors import InvalidWorkflow, JsonError, Problem
from app.domain.expression import Expression, ExpressionError, compile_expression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Render = Callable[[Mapping[str, Any]], Any]

__all__ = ["MAX_HOLES", "Condition", "ExpressionError", "Holes", "Template"]
MAX_HOLES: Final = 1_000
"""Holes in all templates of an agent, or of a workflow of few steps: each costs time to compile and to fill in."""
_BRACE: Final = re.compile(r"[{}]")


class Holes:
    """Counts the holes of templates that belong together, and refuses those beyond `most`; None: there is no limit."""

    __slots__ = ("_found", "_most")

    def __init__(self, most: int | None = MAX_HOLES) -> None:
        self._most = most
        self._found = 0

    @property
    def spent(self) -> bool:
        """Whether there were too many, which has been told."""
        return self._most is not None and self._found > self._most

    def take(self) -> None:
        """One more.  Raises ValueError for one too many."""
        self._found += 1
        if self.spent:
            raise ValueError(
                f"more than {self._most:,} holes {{...}} in the templates of one document: hand over whole values, such as "
                "{input.rows}, rather than their parts"
            )


class Template:
    """A value of the document, compiled.

    `source` is the value as written, `references` the variables it uses (`input`, `context`, step ids), `paths` the
    parts of them (`("context", "insights")`), `places` where each variable stands first, as a JSON pointer, and
    `is_static` whether there is no hole at all.
    """

    __slots__ = ("_render", "is_static", "paths", "places", "references", "source")

    def __init__(
        self, source: Any, render: Render | None, paths: frozenset[tuple[str, ...]], places: Mapping[str, str]
    ) -> None:
        self.source = source
        self.paths = paths
        self.places = places
        self.references = frozenset(places)
        self.is_static = render is None
        self._render = render

    @classmethod
    def compile(cls, value: Any, pointer: str = "", holes: Holes | None = None) -> Template:
        """Compile a JSON value; `pointer` is its place in the document, `holes` those that it shares with other values.

        Raises InvalidWorkflow with all its faults.
        """
        template, problems = cls.check(value, pointer, holes)
        if problems:
            raise InvalidWorkflow(problems)
        return template

    @classmethod
    def check(cls, value: Any, pointer: str = "", holes: Holes | None = None) -> tuple[Template, list[Problem]]:
        """As `compile`, with the faults beside it: what could be read of a faulty value can still be checked further."""
        compiler = _Compiler(holes or Holes())
        render = compiler.value(value, pointer)
        return cls(value, render, frozenset(compiler.paths), compiler.places), compiler.problems

    def render(self, scope: Mapping[str, Any]) -> Any:
        """The value over `scope`; a static one is its source itself.  Raises ExpressionError."""
        return self.source if self._render is None else self._render(scope)

    def __repr__(self) -> str:
        return f"Template({self.source!r})"


class Condition:
    """A `when:`; `references` and `paths` as for Template."""

    __slots__ = ("_expression", "paths", "references", "text")

    def __init__(self, text: str, expression: Expression) -> None:
        self.text = text
        self.paths = expression.paths
        self.references = expression.references
        self._expression = expression

    @classmethod
    def compile(cls, text: str, pointer: str = "") -> Condition:
        """Compile a CEL expression; braces around the whole are allowed.  Raises InvalidWorkflow."""
        try:
            return cls(text, compile_expression(_without_braces(text)))
        except ValueError as error:
            raise InvalidWorkflow([Problem(pointer, str(error))]) from None

    def test(self, scope: Mapping[str, Any]) -> bool:
        """Whether it holds over `scope`.  Raises ExpressionError, also when it gives neither true nor false."""
        value = self._expression.evaluate(scope)
        if not isinstance(value, bool):
            kind = type(value).__name__
            raise ExpressionError(f"{self._expression.text}: a condition must give true or false, this gives {kind}")
        return value

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"


def _without_braces(text: str) -> str:
    bare = text.strip()
    if bare.startswith("{") and bare.endswith("}"):
        parts = split(bare)
        if len(parts) == 1 and isinstance(parts[0], Expression):
            return parts[0].text
    return bare


def split(text: str, holes: Holes | None = None) -> list[str | Expression]:
    """The literal texts and the expressions of a text.

    Raises ValueError for a wrong brace or expression, or for more holes than there may be.
    """
    parts: list[str | Expression] = []
    literal: list[str] = []
    holes = holes or Holes()
    place = 0
    while place < len(text):
        char = text[place]
        if char in "{}" and text[place : place + 2] == char * 2:
            literal.append(char)
            place += 2
        elif char == "{":
            holes.take()
            end = _end_of_hole(text, place + 1)
            if literal:
                parts.append("".join(literal))
            parts.append(compile_expression(text[place + 1 : end]))
            literal, place = [], end + 1
        elif char == "}":
            raise ValueError("a '}' without its '{': write '}}' for a brace in text")
        else:
            brace = _BRACE.search(text, place)
            stop = len(text) if brace is None else brace.start()
            literal.append(text[place:stop])
            place = stop
    return [*parts, "".join(literal)] if literal else parts


def _end_of_hole(text: str, start: int) -> int:
    """Where the `}` is that closes the hole; braces inside strings and inside the expression do not count."""
    try:
        found = cel_text.tokens(text, start, until_brace=True)
    except ValueError as error:
        shown = text[start - 1 : start + 60]
        raise ValueError(f"in {shown!r}: {error}; write '{{{{' for a brace in text") from None
    return text.index("}", found[-1].end if found else start)


class _Compiler:
    """Turns values into functions that render them, None for those without holes, gathering faults and references."""

    def __init__(self, holes: Holes) -> None:
        self._holes = holes
        self.problems: list[Problem] = []
        self.paths: set[tuple[str, ...]] = set()
        self.places: dict[str, str] = {}

    def value(self, value: Any, pointer: str) -> Render | None:
        if isinstance(value, str):
            return self._text(value, pointer) if "{" in value or "}" in value else None
        if isinstance(value, dict):
            return self._object(cast("dict[str, Any]", value), pointer)
        if isinstance(value, list):
            return self._list(cast("list[Any]", value), pointer)
        return None

    def _object(self, value: dict[str, Any], pointer: str) -> Render | None:
        renders = {key: self.value(item, f"{pointer}/{escape(key)}") for key, item in value.items()}
        if not any(renders.values()):
            return None
        pairs = [(key, item, renders[key]) for key, item in value.items()]
        return lambda scope: {key: item if render is None else render(scope) for key, item, render in pairs}

    def _list(self, value: list[Any], pointer: str) -> Render | None:
        pairs = [(item, self.value(item, f"{pointer}/{place}")) for place, item in enumerate(value)]
        if not any(render for _, render in pairs):
            return None
        return lambda scope: [item if render is None else render(scope) for item, render in pairs]

    def _text(self, text: str, pointer: str) -> Render | None:
        if self._holes.spent:
            return None
        try:
            parts = split(text, self._holes)
        except ValueError as error:
            self.problems.append(Problem(pointer, str(error)))
            return None
        for part in parts:
            if isinstance(part, Expression):
                self.paths |= part.paths
                self.places.update({name: pointer for name in part.references if name not in self.places})
        if len(parts) == 1 and isinstance(parts[0], Expression):
            return parts[0].evaluate
        pieces = [part if isinstance(part, str) else part.evaluate for part in parts]
        return lambda scope: "".join(piece if isinstance(piece, str) else _as_text(piece(scope)) for piece in pieces)


def literal(value: Any) -> Any:
    """A value as a template that gives it."""
    if isinstance(value, str):
        return value.replace("{", "{{").replace("}", "}}")
    if isinstance(value, dict):
        return {name: literal(each) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [literal(each) for each in cast("list[Any]", value)]
    return value


def escape(key: str) -> str:
    """A key as a reference token of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return jsontext.dumps(value)
    except JsonError as error:
        raise ExpressionError(f"cannot be written as text: {error}") from None
