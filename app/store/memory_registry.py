"""The registry of definitions in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.domain.ids import uuid7
from app.domain.records import WorkflowRecord
from app.domain.registry import Registry

if TYPE_CHECKING:
    from app.store.memory_tables import MemoryTables


class MemoryRegistry(Registry):
    """See domain.registry.Registry; which version is the newest is told in store.registry."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def register(
        self,
        *,
        name: str,
        document: str,
        hash: str,  # noqa: A002 - the port's word
        ad_hoc: bool = False,
        tenant: str = "default",
    ) -> WorkflowRecord:
        """Store a definition: the same hash gives the same version, another the next; ad hoc ones get no version."""
        known = next((each for each in self._of(tenant) if each.hash == hash), None)
        if known is None:
            known = WorkflowRecord(
                id=uuid7(),
                tenant=tenant,
                name=name,
                version=None,
                hash=hash,
                document=document,
                created_at=self._tables.clock(),
            )
            self._tables.workflows[known.id] = known
        self._tables.used_at[known.id] = self._tables.clock()
        if known.version is None and not ad_hoc:
            known.version = 1 + max((each.version or 0 for each in self._of(tenant) if each.name == name), default=0)
        return replace(known)

    async def workflow(self, name: str, version: int | None = None, tenant: str = "default") -> WorkflowRecord | None:
        """A registered definition, the newest without `version`."""
        found = [each for each in self._of(tenant) if each.name == name and each.version is not None]
        if version is not None:
            found = [each for each in found if each.version == version]
        return replace(max(found, key=lambda each: each.version or 0)) if found else None

    async def definition(self, definition_id: str) -> WorkflowRecord | None:
        """Any stored definition, ad hoc ones too."""
        found = self._tables.workflows.get(definition_id)
        return None if found is None else replace(found)

    async def of_hash(self, hash: str, tenant: str = "default") -> WorkflowRecord | None:  # noqa: A002
        """The stored definition of that content, an ad hoc one too."""
        found = next((each for each in self._of(tenant) if each.hash == hash), None)
        return None if found is None else replace(found)

    async def workflows(self, *, after: str = "", limit: int = 50, tenant: str = "default") -> list[WorkflowRecord]:
        """The newest version of each name above `after`, by name."""
        named = {each.name for each in self._of(tenant) if each.version is not None and each.name > after}
        newest = [await self.workflow(name, tenant=tenant) for name in sorted(named)[:limit]]
        return [each for each in newest if each is not None]

    async def versions(
        self, name: str, *, before: int | None = None, limit: int = 50, tenant: str = "default"
    ) -> list[WorkflowRecord]:
        """The versions of a name below `before`, newest first."""
        found = [each for each in self._of(tenant) if each.name == name and each.version is not None]
        found = [each for each in found if before is None or (each.version or 0) < before]
        return [replace(each) for each in sorted(found, key=lambda each: -(each.version or 0))[:limit]]

    def _of(self, tenant: str) -> list[WorkflowRecord]:
        return [each for each in self._tables.workflows.values() if each.tenant == tenant]
