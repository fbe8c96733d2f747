"""A workflow's steps as a graph: nodes that say what each does, edges for what waits for what; and as a Mermaid diagram."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain.views.common import Document

if TYPE_CHECKING:
    from app.domain.spec import Catch, StepSpec, WorkflowSpec

_LONGEST: Final = 200
"""Characters of a label."""
_USER: Final = re.compile(r"\A(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/{}@]*@")


def graph(spec: WorkflowSpec) -> Document | None:
    """`nodes` in document order and `edges` from the resolved needs; None for a workflow in Python, whose steps come as it
    runs.
    """
    if spec.code is not None:
        return None
    place = {step.id: number for number, step in enumerate(spec.steps)}
    edges = [
        {"from": needed, "to": step.id}
        for step in spec.steps
        for needed in sorted((name for name in step.needs if name in place), key=place.__getitem__)
    ]
    return {"nodes": [_node(step) for step in spec.steps], "edges": edges}


def diagram(drawn: Document) -> str:
    """A graph as a Mermaid flowchart; dashed arrows lead to steps with a condition."""
    nodes: list[Document] = drawn["nodes"]
    number = {node["id"]: place for place, node in enumerate(nodes)}
    lines = ["flowchart TD", *(f'  s{place}["{_text(node)}"]' for place, node in enumerate(nodes))]
    arrows = {node["id"]: "-->" if node["condition"] is None else "-.->" for node in nodes}
    lines += [f"  s{number[edge['from']]} {arrows[edge['to']]} s{number[edge['to']]}" for edge in drawn["edges"]]
    return "\n".join(lines) + "\n"


def label(step: StepSpec) -> str | None:
    """What a step calls or waits for, on one line; of a URL no more than host and path."""
    found = _label(step.kind, step.target.source)
    if found is None:
        return None
    line = " ".join(found.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _node(step: StepSpec) -> Document:
    undo = step.compensate
    return {
        "id": step.id,
        "index": step.index,
        "kind": step.kind,
        "agent": step.agent,
        "label": label(step),
        "condition": None if step.when is None else step.when.text,
        "parts": "for_each" if step.for_each is not None else "repeat" if step.repeat is not None else None,
        "effect": step.effect,
        "compensate": None if undo is None else {"id": undo.id, "kind": undo.kind, "label": label(undo)},
        "on_error": None if step.catch is None else _caught(step.catch),
        "rescues": list(step.rescues),
        "timeout_ms": None if step.timeout is None else round(step.timeout * 1000),
    }


def _caught(catch: Catch) -> Document:
    return {"kinds": None if catch.kinds is None else list(catch.kinds), "run": catch.run}


def _label(kind: str, target: Any) -> str | None:
    if not isinstance(target, dict):
        return None if target is None else str(target)
    parts = cast("dict[str, Any]", target)
    match kind:
        case "http":
            return f"{parts.get('method', 'GET')} {_without_query(str(parts.get('url', '')))}"
        case "mcp":
            return f"{parts.get('server')}/{parts.get('tool')}"
        case "wait_for":
            return str(parts["topic"]) if "topic" in parts else f"signal {parts.get('signal')}"
        case _:
            return None if parts.get("title") is None else str(parts["title"])


def _without_query(url: str) -> str:
    """Scheme, host and path: what goes before the first ? or # outside of a template, and nobody's password."""
    depth = 0
    for place, sign in enumerate(url):
        depth += (sign == "{") - (sign == "}")
        if depth <= 0 and sign in "?#":
            url = url[:place]
            break
    return _USER.sub(r"\g<scheme>", url)


def _text(node: Document) -> str:
    does = f"{node['kind']}: {node['agent']}" if node["agent"] else node["kind"]
    return f"{node['id']}<br/>{does}".replace('"', "#quot;")
