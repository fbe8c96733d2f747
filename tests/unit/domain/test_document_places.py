"""Lines and columns of the problems of a document, in YAML and in JSON."""

from __future__ import annotations

import json

import pytest

from app.domain import document
from app.domain.document_places import located
from app.domain.errors import InvalidWorkflow, Problem

BLOCK = """\
# a comment
name: post
steps:
  - id: draft
    agent: analist
  -   id: send
      retry:
        max_attempts: 0
      "a/b~": [1, {c: 2}]
"""
TEXT = """\
{
  "name": "post",
  "steps": [
    {"id": "a", "x/y": [10, {"z": null}]},
\t{"id": "ü\\u00fc", "agent": 1}
  ]
}
"""


@pytest.mark.parametrize(
    ("text", "pointer", "at"),
    [
        (BLOCK, "", (2, 1)),
        (BLOCK, "/name", (2, 1)),
        (BLOCK, "/steps/0/agent", (5, 5)),
        (BLOCK, "/steps/1", (6, 7)),
        (BLOCK, "/steps/1/retry/max_attempts", (8, 9)),
        (BLOCK, "/steps/1/a~1b~0/1/c", (9, 20)),
        (BLOCK, "/steps/0/timeout", (4, 5)),
        (BLOCK, "/steps/7/id", (3, 1)),
        (BLOCK, "/output", (2, 1)),
        ("name: x\nsteps: [{id: a, when: no}]\n", "/steps/0/when", (2, 17)),
        ("name: x\nsteps:\n- &one {id: a}\n- *one\n", "/steps/1/id", (4, 3)),
        ("name: x\nsteps:\n- id: >-\n    folded\n  when: |\n    a\n    b\n  on: c\n", "/steps/0/on", (8, 3)),
        ('"name": x\nsteps: 1\n', "/steps", (2, 1)),
        ("\ufeffname: x\nsteps: 1\n", "/name", (1, 1)),
        (TEXT, "", (1, 1)),
        (TEXT, "/steps", (3, 3)),
        (TEXT, "/steps/0/x~1y/1/z", (4, 30)),
        (TEXT, "/steps/0/x~1y/2", (4, 17)),
        (TEXT, "/steps/1/agent", (5, 20)),
        ("{name: x, steps: [a]}", "/steps/0", (1, 19)),
        ('{"name": "x"', "/name", (1, 2)),
        ("", "/name", None),
        ("just text", "/name", (1, 1)),
        ("a: [1,\nb: }", "/a/0", (1, 5)),
    ],
)
def test_a_problem_is_where_its_key_or_its_entry_begins_or_what_it_is_missing_from(
    text: str, pointer: str, at: tuple[int, int] | None
) -> None:
    [found] = located(text, [Problem(pointer, "odd")])
    assert ((found.line, found.column) if found.line else None) == at
    assert (found.pointer, found.message) == (pointer, "odd")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("name: x\nsteps: [\n", (3, 1)),
        ("name: x\n  steps: 1\n", (2, 8)),
        ("name: x\nname: y\n", (2, 1)),
        ("name: x\nsteps:\n  - {id: !!python/name a}\n", (3, 10)),
        ("name: x\nsteps: *nothing\n", (2, 8)),
        ("name: x\n---\nname: y\n", (2, 1)),
        ("name: x\n? [a]\n: 1\n", (2, 3)),
    ],
)
def test_what_cannot_be_read_says_where(text: str, at: tuple[int, int]) -> None:
    with pytest.raises(InvalidWorkflow) as refused:
        document.parse(text)
    [found] = located(text, refused.value.problems)
    assert (found.line, found.column) == at


def test_aliases_of_aliases_are_not_followed() -> None:
    text = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 50)}]\n" for n in range(1, 60))
    [found] = located(text, [Problem("/a59/3/4/5", "odd")])
    assert (found.line, found.column) == (60, text.splitlines()[59].index("[") + 2 + 3 * len("*a58, "))


def test_all_problems_of_a_large_text_are_found_in_one_pass() -> None:
    steps = [{"id": f"s{n}", "agent": "nobody"} for n in range(5_000)]
    problems = [Problem(f"/steps/{n}/agent", "no agent") for n in range(5_000)]
    text = json.dumps({"name": "x", "steps": steps}, indent=1)
    yaml = "name: x\nsteps:\n" + "".join(f"- id: s{n}\n  agent: nobody\n" for n in range(5_000))
    assert [one.line for one in located(text, problems)] == [6 + 4 * n for n in range(5_000)]
    assert [one.line for one in located(yaml, problems)] == [4 + 2 * n for n in range(5_000)]
