"""The loader of named queries, and the files that it loads."""

from __future__ import annotations

import asyncpg
import pytest

from app.store.queries import load, parse


def test_each_header_names_the_statement_below_it() -> None:
    text = "-- what this file is\n\n-- one --\nSELECT 1;\n\n-- two --\n-- why\nSELECT 2\n"
    assert parse(text) == {"one": "SELECT 1", "two": "-- why\nSELECT 2"}


@pytest.mark.parametrize("text", ["-- one --\n;\n", "-- one --\nSELECT 1;\n-- one --\nSELECT 2;\n"])
def test_a_name_without_or_with_two_statements_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="query one"):
        parse(text)


def test_what_was_loaded_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        load("reads")["thread"] = "DROP"  # pyright: ignore[reportIndexIssue]


@pytest.mark.parametrize("group", ["reads", "registry", "journal", "quarantine"])
async def test_the_server_takes_every_statement(database_url: str, group: str) -> None:
    connection = await asyncpg.connect(database_url)
    for statement in load(group).values():
        await connection.prepare(statement)
    await connection.close()
