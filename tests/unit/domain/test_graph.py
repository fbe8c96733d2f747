"""A workflow's steps as a graph and as a diagram."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain import document
from app.domain.views.graph import diagram, graph


def drawn(*steps: dict[str, Any], **parts: Any) -> dict[str, Any]:
    found = graph(document.parse({"name": "w", "steps": list(steps), **parts}))
    assert found is not None
    return found


def test_a_node_says_all_that_its_step_declares() -> None:
    [_, node, _] = drawn(
        {"id": "a", "agent": "writer"},
        {
            "id": "b",
            "python": "send",
            "when": "input.x > 1",
            "for_each": "{a.output}",
            "effect": "irreversible",
            "compensate": {"http": {"method": "DELETE", "url": "https://h/x?key=1"}},
            "timeout": "2s",
            "on_error": {"kinds": ["timeout"], "run": "c"},
        },
        {"id": "c", "agent": "writer"},
    )["nodes"]
    assert node == {
        "id": "b",
        "index": 1,
        "kind": "python",
        "agent": "send",
        "label": "send",
        "condition": "input.x > 1",
        "parts": "for_each",
        "effect": "irreversible",
        "rescues": [],
        "timeout_ms": 2000,
        "compensate": {"id": "b.undo", "kind": "http", "label": "DELETE https://h/x"},
        "on_error": {"kinds": ["timeout"], "run": "c"},
    }


@pytest.mark.parametrize(
    ("does", "label"),
    [
        ({"http": {"url": "https://user:secret@host:8/a/b?token=1#c"}}, "GET https://host:8/a/b"),
        ({"http": {"method": "POST", "url": "{input.u ? input.u : 'x'}/p?q=1"}}, "POST {input.u ? input.u : 'x'}/p"),
        ({"mcp": {"server": "web", "tool": "search"}}, "web/search"),
        ({"workflow": "child@2"}, "child@2"),
        ({"gate": {"title": "Publish\n it?"}}, "Publish it?"),
        ({"gate": {}}, None),
        ({"wait_for": {"topic": "orders.*"}}, "orders.*"),
        ({"wait_for": {"signal": "paid"}}, "signal paid"),
        ({"sleep": "5m"}, "5m"),
        ({"http": {"url": f"https://h/{'x' * 300}"}}, f"GET https://h/{'x' * 185}…"),
    ],
)
def test_a_label_is_what_the_step_calls_without_secrets(does: dict[str, Any], label: str | None) -> None:
    [node] = drawn({"id": "a", **does})["nodes"]
    assert node["label"] == label


def test_edges_are_all_that_a_step_waits_for_in_the_order_of_the_document() -> None:
    found = drawn(
        {"id": "a", "agent": "w", "on_error": {"run": "r"}},
        {"id": "b", "agent": "w", "needs": []},
        {"id": "r", "agent": "w", "needs": []},
        {"id": "c", "agent": "w", "needs": ["b", "a"], "when": "true"},
        {"id": "d", "agent": "w", "needs": [], "input": "{b.output}"},
    )
    edges = [(edge["from"], edge["to"]) for edge in found["edges"]]
    assert edges == [("a", "r"), ("a", "c"), ("b", "c"), ("r", "c"), ("b", "d")]
    assert found["nodes"][2]["rescues"] == ["a"]
    assert diagram(found).splitlines()[-3:] == ["  s1 -.-> s3", "  s2 -.-> s3", "  s1 --> s4"]


def test_a_workflow_in_python_has_no_graph() -> None:
    code = {"name": "w", "code": {"function": "m.f", "sha256": "0", "source": ""}}
    assert graph(document.parse(code)) is None
