"""The loader of named queries, and the files that it loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from app.store import gates, waits
from app.store.queries import load, parse

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_each_header_names_the_statement_below_it() -> None:
    text = "-- what this file is\n\n-- one --\nSELECT 1;\n\n-- two --\n-- why\nSELECT 2\n"
    assert parse(text) == {"one": "SELECT 1", "two": "-- why\nSELECT 2"}


def test_a_part_stands_in_each_statement_that_names_it() -> None:
    text = "-- part few --\nfew AS (SELECT 1)\n-- one --\nWITH {few} TABLE few;\n-- two --\nWITH {few} SELECT '{}' FROM few;\n"
    assert parse(text) == {
        "one": "WITH few AS (SELECT 1) TABLE few",
        "two": "WITH few AS (SELECT 1) SELECT '{}' FROM few",
    }


def test_several_files_are_one_and_words_are_parts_of_it() -> None:
    text = "-- part few --\nfew AS (TABLE {table})\n-- one --\nWITH {few} TABLE few;\n"
    assert parse(text, {"table": "gates"}) == {"one": "WITH few AS (TABLE gates) TABLE few"}


@pytest.mark.parametrize(
    "text",
    ["-- one --\n;\n", "-- one --\nSELECT 1;\n-- one --\nSELECT 2;\n", "-- one --\nWITH {few} TABLE few;\n"],
    ids=["none", "two", "no part"],
)
def test_a_name_without_or_with_two_statements_or_an_unknown_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="query one"):
        parse(text)


def test_what_was_loaded_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        load("reads")["thread"] = "DROP"  # pyright: ignore[reportIndexIssue]


@pytest.mark.parametrize(
    "group",
    [
        *("reads", "registry", "journal", "quarantine", "queue", "breakers", "langgraph", "agents", "metrics"),
        *("webhooks", "followers", "messages", "triggers", "restored"),
    ],
)
async def test_the_server_takes_every_statement(database_url: str, group: str) -> None:
    connection = await asyncpg.connect(database_url)
    for statement in load(group).values():
        await connection.prepare(statement)
    await connection.close()


@pytest.mark.parametrize("statements", [gates.SQL, waits.SQL], ids=["gates", "waits"])
async def test_the_server_takes_every_statement_of_a_book(database_url: str, statements: Mapping[str, str]) -> None:
    connection = await asyncpg.connect(database_url)
    for statement in statements.values():
        await connection.prepare(statement)
    await connection.close()
