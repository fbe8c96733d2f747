"""Named queries: every SQL statement of the store stands in sql/*.sql under a `-- name --` line and is read once."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HEADER: Final = re.compile(r"^-- (part )?([a-z][a-z0-9_]*) --[ \t]*$", re.MULTILINE)
_PART: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@cache
def load(*groups: str, **words: str) -> Mapping[str, str]:
    """The statements of sql/{group}.sql by name, without a closing semicolon; of several files as if they were one, in which
    `words` are parts.

    What stands before the first header is the file's own comment; what stands under `-- part name --` is put in the place of
    `{name}` in the statements and parts after it.  Raises FileNotFoundError for no such file, ValueError when a name stands
    twice, has no statement or means no part.
    """
    folder = resources.files("app.store").joinpath("sql")
    text = "\n".join(folder.joinpath(f"{group}.sql").read_text("utf-8") for group in groups)
    return MappingProxyType(parse(text, words))


def filtered(query: str, given: Iterable[tuple[str, Any]], *first: Any) -> tuple[str, list[Any]]:
    """`query` with the clauses whose value is not None where `/* filters */` stands, and all its parameters, `first` first.

    A `$` in a clause stands for its value, of which a tuple has one for each.  Each combination of filters is a statement with
    a plan of its own: `$1 IS NULL OR ...` would keep one plan for all from using an index.
    """
    values = list(first)

    def numbered(clause: str, value: Any) -> str:
        begin, *rest = clause.split("$")
        taken: tuple[Any, ...] = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
        values.extend(taken)
        numbers = range(len(values) - len(taken) + 1, len(values) + 1)
        return begin + "".join(f"${number}{text}" for number, text in zip(numbers, rest, strict=True))

    clauses = [f"AND {numbered(clause, value)}" for clause, value in given if value is not None]
    return query.replace("/* filters */", " ".join(clauses)), values


def parse(text: str, words: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """The statements in `text` by name; errors as for `load`."""
    headers = _HEADER.split(text)[1:]
    queries: dict[str, str] = {}
    parts = dict(words)

    def part(found: re.Match[str]) -> str:
        if found[1] not in parts:
            raise ValueError(f"query {name} wants the part {found[1]}, which is not there")
        return parts[found[1]]

    for kind, name, body in zip(headers[::3], headers[1::3], headers[2::3], strict=True):
        statement = body.strip().removesuffix(";").rstrip()
        if not statement:
            raise ValueError(f"query {name} has no statement")
        if name in queries or name in parts:
            raise ValueError(f"query {name} stands twice")
        (parts if kind else queries)[name] = _PART.sub(part, statement)
    return queries
