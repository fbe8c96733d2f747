"""The catalog: stored definitions as specs that can run, parsed once and kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from app.domain import document, jsontext
from app.domain.errors import InvalidWorkflow, NotFound, Problem
from app.domain.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from app.domain.records import WorkflowRecord
    from app.domain.registry import Registry
    from app.domain.runner import Runner
    from app.domain.spec import StepSpec, WorkflowSpec

T = TypeVar("T")
_KEPT: Final = 1_000
_FRESH: Final = 1.0
"""Seconds for which a name's newest version is not asked for again."""
_IN_USE: Final = timedelta(hours=1)
"""For how long a document that is started directly need not be told to be in use: retention spares it for a day."""
_BIG: Final = 50_000
"""Characters of a document that are parsed in a thread: it takes too long for the loop."""


class Catalog:
    """Definitions by id and by name; knows which of them this process can run."""

    def __init__(self, registry: Registry, runners: Mapping[str, Runner]) -> None:
        self._registry = registry
        self._runners = runners
        self._specs: OrderedDict[str, WorkflowSpec] = OrderedDict()
        self._named: dict[tuple[str, int | None], tuple[float, WorkflowRecord]] = {}
        self._checked: dict[str, float] = {}
        self._ad_hoc: OrderedDict[bytes, tuple[datetime, WorkflowRecord]] = OrderedDict()

    async def spec(self, definition_id: str) -> WorkflowSpec:
        """A stored definition, ready to run.  Raises NotFound."""
        known = self._specs.get(definition_id)
        if known is not None:
            self._specs.move_to_end(definition_id)
            return known
        record = await self._registry.definition(definition_id)
        if record is None:
            raise NotFound(f"definition {definition_id} is gone", code="workflow_not_found")
        return self._keep(record, await parse(record.document, stored=True))

    async def named(self, reference: str) -> tuple[WorkflowRecord, WorkflowSpec]:
        """A registered workflow by `name` or `name@version`.  Raises NotFound."""
        name, _, version_text = reference.partition("@")
        version = int(version_text) if version_text.isdecimal() and len(version_text) < 10 else None  # noqa: PLR2004
        if version_text and version is None:
            raise NotFound(f"there is no workflow {reference}", code="workflow_not_found")
        at, record = self._named.get((name, version), (0.0, None))
        if record is None or (version is None and monotonic() - at > _FRESH):
            if record is not None:  # one asks, the others make do with what is known meanwhile
                self._named[name, version] = (monotonic(), record)
            record = await self._registry.workflow(name, version)
            if record is None:
                raise NotFound(f"there is no workflow {reference}", code="workflow_not_found")
            self._named[name, version] = (monotonic(), record)
        return record, await self.spec(record.id)

    async def register(self, source: str | Mapping[str, Any]) -> tuple[WorkflowRecord, bool]:
        """Store a document under its name; True when that made a new version.  Raises InvalidWorkflow, NotSupported."""
        return await self._register(await self.validate(source))

    async def is_registered(self, source: str) -> bool:
        """Whether the newest version of its name is this document.  Raises InvalidWorkflow for what is none."""
        spec = await parse(source, stored=True)
        known = await self._registry.workflow(spec.name)
        return known is not None and known.hash == spec.hash

    async def register_code(self, document: Mapping[str, Any]) -> tuple[WorkflowRecord, bool]:
        """As `register`, for the document of a workflow in Python (see domain.document_code).  Raises InvalidWorkflow."""
        return await self._register(await parse(document))

    async def _register(self, spec: WorkflowSpec) -> tuple[WorkflowRecord, bool]:
        before = await self._registry.workflow(spec.name)
        record = await self._registry.register(
            name=spec.name, document=jsontext.dumps(dict(spec.document)), hash=spec.hash
        )
        self._named.pop((spec.name, None), None)
        self._keep(record, spec)
        newest = before.version if before is not None and before.version is not None else 0
        return record, (record.version or 0) > newest

    async def ad_hoc(self, source: Mapping[str, Any]) -> tuple[WorkflowRecord, WorkflowSpec]:
        """Store a document for one thread, without a version.  Raises InvalidWorkflow, NotSupported, JsonError."""
        text = jsontext.dumps(source)
        digest = jsontext.sha256(text)
        now = utc_now()
        at, record = self._ad_hoc.get(digest, (now, None))
        if record is None or not timedelta() <= now - at < _IN_USE:
            spec = await self.validate(source)
            record = await self._registry.register(name=spec.name, document=text, hash=spec.hash, ad_hoc=True)
            self._ad_hoc[digest] = (now, record)
            if len(self._ad_hoc) > _KEPT:
                self._ad_hoc.popitem(last=False)
            self._keep(record, spec)
        return record, await self.spec(record.id)

    async def validate(self, source: str | Mapping[str, Any]) -> WorkflowSpec:
        """Parse a document and ask the runners whether they can do its steps.  Raises InvalidWorkflow, NotSupported."""
        spec = await self._parsed(source)
        if spec.code is not None:
            raise InvalidWorkflow([Problem("/code", "a workflow in Python is registered by its module (MODULES)")])
        problems = [problem for step in spec.steps for problem in self._problems(step)]
        if problems:
            raise InvalidWorkflow(problems)
        return spec

    async def _parsed(self, source: str | Mapping[str, Any]) -> WorkflowSpec:
        """A document that is sent again is let in again, whatever its size: what compiles it is told that it is stored."""
        try:
            return await parse(source)
        except InvalidWorkflow:
            if await self._registry.of_hash(await _aside(document.hash_of, source)) is None:
                raise
        return await parse(source, stored=True)

    def check(self, definition_id: str, spec: WorkflowSpec) -> None:
        """Whether a registered workflow can run here now: an agent may be gone since, or its key.  Raises InvalidWorkflow.

        What is well is looked at once a second at most.
        """
        at = self._checked.get(definition_id)
        if at is not None and monotonic() - at < _FRESH:
            return
        problems = [problem for step in spec.steps for problem in self._problems(step)]
        if problems:
            raise InvalidWorkflow(problems)
        if len(self._checked) >= _KEPT:
            self._checked.clear()
        self._checked[definition_id] = monotonic()

    def objections(self, step: StepSpec, agent: str) -> list[str]:
        """Why another agent cannot do a step here; none where it can."""
        if step.agent is None:
            return [f"step {step.id} is no step of an agent"]
        return self._runners[step.kind].check(step.done_by(agent))

    def _problems(self, step: StepSpec) -> Iterator[Problem]:
        """What the runners object to, of a step with variants for each of them."""
        place, check = f"/steps/{step.index}", self._runners[step.kind].check
        if any(variant.agent is None for variant in step.variants) or not step.variants:
            yield from (Problem(f"{place}/{step.kind}", message) for message in check(step))
        for number, variant in enumerate(step.variants):
            if variant.agent is not None:
                found = check(step.done_by(variant.agent))
                yield from (Problem(f"{place}/variants/{number}/agent", message) for message in found)
        undo = step.compensate
        if undo is not None:
            told = self._runners[undo.kind].check(undo)
            yield from (Problem(f"{place}/compensate/{undo.kind}", message) for message in told)

    def _keep(self, record: WorkflowRecord, spec: WorkflowSpec) -> WorkflowSpec:
        self._specs[record.id] = spec
        if len(self._specs) > _KEPT:
            self._specs.popitem(last=False)
        return spec


async def parse(source: str | Mapping[str, Any], *, stored: bool = False) -> WorkflowSpec:
    """domain.document.parse, a big document in a thread.  Raises InvalidWorkflow, NotSupported."""
    return await _aside(lambda one: document.parse(one, stored=stored), source)


async def _aside(work: Callable[[str | Mapping[str, Any]], T], source: str | Mapping[str, Any]) -> T:
    size = len(source) if isinstance(source, str) else len(str(source.get("steps")))
    return await asyncio.to_thread(work, source) if size > _BIG else work(source)
