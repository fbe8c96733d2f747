"""Definitions: an entry of the list, one with its document, and the diagram of a workflow's steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.views.common import Document, raw, when

if TYPE_CHECKING:
    from app.domain.records import WorkflowRecord
    from app.domain.spec import StepSpec, WorkflowSpec


def workflow_entry(record: WorkflowRecord) -> Document:
    """One definition without its document."""
    document: dict[str, Any] = jsontext.loads(record.document)
    return {
        "id": record.id,
        "name": record.name,
        "version": record.version,
        "hash": record.hash,
        "description": document.get("description"),
        "steps": [step.get("id") for step in document.get("steps", [])],
        "created_at": when(record.created_at),
    }


def workflow_document(record: WorkflowRecord) -> Document:
    """One definition with its document as it was stored."""
    return {**workflow_entry(record), "document": raw(record.document)}


def diagram(spec: WorkflowSpec) -> str:
    """The steps and what each waits for, as a Mermaid flowchart."""
    number = {step.id: index for index, step in enumerate(spec.steps)}
    lines = ["flowchart TD"]
    lines += [f'  s{number[step.id]}["{_label(step)}"]' for step in spec.steps]
    for step in spec.steps:
        needed = sorted(number[name] for name in step.needs if name in number)
        arrow = "-.->" if step.when is not None else "-->"
        lines += [f"  s{other} {arrow} s{number[step.id]}" for other in needed]
    return "\n".join(lines) + "\n"


def _label(step: StepSpec) -> str:
    does = f"{step.kind}: {step.agent}" if step.agent else step.kind
    text = f"{step.id}<br/>{does}"
    return text.replace('"', "#quot;")
