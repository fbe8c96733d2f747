"""The list of safeguards holds: every text stands where it is said to, and every test that is named exists."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache

import pytest

from tests.ablation.run import edited
from tests.ablation.safeguard import CANARIES, ROOT, Safeguard
from tests.ablation.safeguards import SAFEGUARDS


@cache
def text_of(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


@cache
def names_in(file: str) -> set[str]:
    nodes = ast.walk(ast.parse(text_of(file)))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def exists(test: str) -> bool:
    file, _, name = test.partition("::")
    return (ROOT / file).exists() and name.partition("[")[0] in names_in(file)


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda safeguard: safeguard.name)
def test_every_safeguard_stands_where_the_list_says(safeguard: Safeguard) -> None:
    texts = {edit.file: text_of(edit.file) for edit in safeguard.edits}
    for edit in safeguard.edits:
        assert edit.old != edit.new
        texts[edit.file] = edited(texts[edit.file], edit.old, edit.new, edit.file)
    for file, text in texts.items():
        if file.endswith(".py"):
            ast.parse(text)


def test_every_test_that_is_named_exists() -> None:
    named = {test for safeguard in SAFEGUARDS for test in safeguard.tests} | {test for _, test in CANARIES}
    assert sorted(test for test in named if not exists(test)) == []
    assert all(safeguard.tests for safeguard in SAFEGUARDS)


def test_every_safeguard_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(each.name for each in SAFEGUARDS).items() if count > 1] == []
