"""The workflow documents of a Backstitch service, for `app.client`: register, check, show, list."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from app.client.http import path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from app.client.fields import PageFilters
    from app.client.pages import Pages
    from app.client.service import Backstitch
    from app.client.workflow_types import ValidationAnswer, WorkflowAnswer, WorkflowEntry

Document: TypeAlias = "Mapping[str, Any] | str | Path"
"""A workflow document: a mapping, the text of one in YAML or JSON, or a file of it."""


class Workflows:
    """As `service.workflows`; every method raises what those of Backstitch raise."""

    def __init__(self, service: Backstitch) -> None:
        self._service = service

    async def register(self, document: Document) -> WorkflowAnswer:
        """Register a workflow, or its next version; the same content is the same version. Raises ApiError (422)."""
        return cast("WorkflowAnswer", await self._send("/api/workflows", document))

    async def validate(self, document: Document) -> ValidationAnswer:
        """Whether a document holds: `valid`, `problems` with pointer, line and column, its `graph`. Nothing is registered."""
        return cast("ValidationAnswer", await self._send("/api/workflows/validate", document))

    async def show(self, reference: str) -> WorkflowAnswer:
        """A workflow by name, or name@version, with its document and the graph of its steps."""
        found = await self._service.request("GET", path("/api/workflows", reference))
        return cast("WorkflowAnswer", found)

    def list(self, **filters: Unpack[PageFilters]) -> Pages[WorkflowEntry]:
        """The newest version of every workflow, by name."""
        return self._service.pages("/api/workflows", "workflows", **filters)

    def versions(self, name: str, **filters: Unpack[PageFilters]) -> Pages[WorkflowEntry]:
        """The versions of a workflow, newest first."""
        return self._service.pages(path("/api/workflows", name, "versions"), "versions", **filters)

    async def _send(self, path: str, document: Document) -> dict[str, Any]:
        if isinstance(document, Path):
            document = await asyncio.to_thread(document.read_text, "utf-8")
        if isinstance(document, str):
            return await self._service.request("POST", path, content=document)
        return await self._service.request("POST", path, json=document)
