"""Named queries: every SQL statement of the store stands in sql/*.sql under a `-- name --` line and is read once."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADER: Final = re.compile(r"^-- ([a-z][a-z0-9_]*) --[ \t]*$", re.MULTILINE)


@cache
def load(group: str) -> Mapping[str, str]:
    """The statements of sql/{group}.sql by name, without a closing semicolon.

    What stands before the first header is the file's own comment.  Raises FileNotFoundError for no such file,
    ValueError when a name stands twice or has no statement.
    """
    return MappingProxyType(parse(resources.files("app.store").joinpath("sql", f"{group}.sql").read_text("utf-8")))


def parse(text: str) -> dict[str, str]:
    """The statements in `text` by name; errors as for `load`."""
    parts = _HEADER.split(text)[1:]
    queries: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        statement = body.strip().removesuffix(";").rstrip()
        if not statement:
            raise ValueError(f"query {name} has no statement")
        if name in queries:
            raise ValueError(f"query {name} stands twice")
        queries[name] = statement
    return queries
