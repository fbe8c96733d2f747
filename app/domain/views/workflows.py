"""Definitions: an entry of the list, and one with its document and the graph of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.views.common import Document, raw, when

if TYPE_CHECKING:
    from app.domain.records import WorkflowRecord


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


def workflow_document(record: WorkflowRecord, graph: Document | None) -> Document:
    """One definition with its document as it was stored, and the graph of its steps if it can be drawn."""
    return {**workflow_entry(record), "document": raw(record.document), "graph": graph}
