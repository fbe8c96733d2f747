"""What the engine and the service ask of the store of definitions; PostgreSQL and memory pass one suite (tests/contracts)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from app.domain.records import WorkflowRecord


class Registry(Protocol):
    """The stored definitions."""

    async def register(
        self,
        *,
        name: str,
        document: str,
        hash: str,  # noqa: A002 - what it is called everywhere
        ad_hoc: bool = False,
        tenant: str = "default",
    ) -> WorkflowRecord:
        """Store a definition: the same hash gives the same version, another the next; ad hoc ones get no version."""
        ...

    async def workflow(self, name: str, version: int | None = None, tenant: str = "default") -> WorkflowRecord | None:
        """A registered definition, the newest without `version`."""
        ...

    async def definition(self, definition_id: str) -> WorkflowRecord | None:
        """Any stored definition, ad hoc ones too."""
        ...

    async def of_hash(self, hash: str, tenant: str = "default") -> WorkflowRecord | None:  # noqa: A002
        """The stored definition of that content, an ad hoc one too."""
        ...

    async def workflows(self, *, after: str = "", limit: int = 50, tenant: str = "default") -> list[WorkflowRecord]:
        """The newest version of each name above `after`, by name."""
        ...

    async def versions(
        self, name: str, *, before: int | None = None, limit: int = 50, tenant: str = "default"
    ) -> list[WorkflowRecord]:
        """The versions of a name below `before`, newest first."""
        ...
