"""Named queries: every SQL statement of the store stands in sql/*.sql under a `-- name --` line and is read once."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER: Final = re.compile(r"^-- (part )?([a-z][a-z0-9_]*) --[ \t]*$", re.MULTILINE)
_PART: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@cache
def load(group: str) -> Mapping[str, str]:
    """The statements of sql/{group}.sql by name, without a closing semicolon.

    What stands before the first header is the file's own comment; what stands under `-- part name --` is put in the place of
    `{name}` in the statements.  Raises FileNotFoundError for no such file, ValueError when a name stands twice, has no
    statement or means no part.
    """
    return MappingProxyType(parse(resources.files("app.store").joinpath("sql", f"{group}.sql").read_text("utf-8")))


def parse(text: str) -> dict[str, str]:
    """The statements in `text` by name; errors as for `load`."""
    headers = _HEADER.split(text)[1:]
    queries: dict[str, str] = {}
    parts: dict[str, str] = {}

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
        if kind:
            parts[name] = statement
        else:
            queries[name] = _PART.sub(part, statement)
    return queries
