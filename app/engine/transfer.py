"""Threads as files: one goes out as it stands at one moment, and comes in as it was, paused if it had not ended."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from app.domain import events, jsontext
from app.domain.errors import Conflict, InvalidRequest, Unavailable
from app.domain.ids import uuid7
from app.domain.status import ENDED, Status, StepStatus
from app.domain.times import rfc3339, utc_now
from app.domain.transfer import END, FORMAT, HEADER, line_of, row_of
from app.domain.transfer_check import FileCheck
from app.domain.transfer_ids import Names
from app.engine.spool import Packer, Spool, Unpacker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from app.domain.ports import Reads
    from app.domain.transfer import Archive, Batch, KnownDefinition, Row
    from app.domain.transfer_check import Whole

_BATCH: Final = 2 * 1024 * 1024
_UPLOADS: Final = 4
"""Files that come in at a time: each waits in a folder for temporary files until it is whole."""
_PATIENCE: Final = 60.0
"""Seconds in which the next piece of a file has to come."""
_KEEPS_ITS_STATUS: Final = frozenset({*ENDED, Status.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What has come in: under which id, from which one, and whether executions and step runs had to be renamed."""

    thread_id: str
    source_thread_id: str
    status: Status
    head_version: int
    last_version: int
    renamed: bool
    counts: Mapping[str, int]


class Transfers:
    """One for the engine; a file may hold `max_bytes`, a stored value `max_value_bytes`; `told` hears of what has come in."""

    def __init__(
        self, reads: Reads, archive: Archive, *, max_bytes: int, max_value_bytes: int, told: Callable[[], None]
    ) -> None:
        self._reads = reads
        self._archive = archive
        self._max_bytes = max_bytes
        self._longest = 1_000_000 + 5 * max_value_bytes  # an input and an output, each character of them escaped
        self._uploads = 0
        self._told = told

    async def export(self, thread_id: str, *, packed: bool) -> Spool:
        """The file, ready to be read, whatever happens to the thread meanwhile; close it.  Raises NotFound, Unavailable."""
        spool, packer, sha = Spool(), Packer(packed=packed), hashlib.sha256()
        lines = 0

        def encoded(what: str, rows: list[Row]) -> bytes:
            text = b"".join(line_of(what, row) for row in rows)
            sha.update(text)
            return packer.pack(text)

        try:
            async with self._archive.snapshot(thread_id) as snapshot:
                header = {
                    "format": FORMAT,
                    "backstitch": _version(),
                    "thread_id": thread_id,
                    "exported_at": rfc3339(utc_now()),
                    "counts": dict(snapshot.counts),
                    "children": snapshot.children,
                }
                await spool.write(encoded(HEADER, [header]))
                async for what, rows in snapshot.batches():
                    lines += len(rows)
                    await spool.write(await asyncio.to_thread(encoded, what, rows))
            end = line_of(END, {"lines": lines + 1, "sha256": sha.hexdigest()})
            await spool.write(packer.pack(end) + packer.end())
        except BaseException:
            spool.close()
            raise
        return spool

    async def take_in(self, pieces: AsyncIterator[bytes], thread_id: str | None, *, rename: bool) -> Imported:
        """Check the file and write the thread, all of it or nothing; it does not run until it is resumed.

        Its id is `thread_id`, else its own, else, if that is taken and `rename` says so, a new one.  Raises InvalidRequest
        (invalid_export, export_damaged, export_too_new, import_too_large), Conflict (thread_exists), Unavailable.
        """
        if self._uploads >= _UPLOADS:
            raise Unavailable("as many files as may are being imported", retry_after=5)
        self._uploads += 1
        spool = Spool()
        try:
            await self._receive(spool, pieces)
            whole = await self._check(spool)
            try:
                imported = await self._write(spool, whole, thread_id, rename=rename)
            except Conflict:  # somebody took its ids just now, or has had them all along: then this says so
                imported = await self._write(spool, whole, thread_id, rename=rename)
        finally:
            self._uploads -= 1
            spool.close()
        self._told()
        return imported

    async def _receive(self, spool: Spool, pieces: AsyncIterator[bytes]) -> None:
        unpacker = Unpacker(self._max_bytes)
        while (piece := await _next(pieces)) is not None:
            for text in unpacker.unpack(piece):
                await spool.write(text)
        await spool.write(unpacker.end())

    async def _check(self, spool: Spool) -> Whole:
        await spool.rewind()
        check = FileCheck()

        def go_on() -> bool:
            lines = spool.lines(_BATCH, self._longest)
            check.feed(lines)
            return bool(lines)

        while await asyncio.to_thread(go_on):
            pass
        return check.done()

    async def _write(self, spool: Spool, whole: Whole, thread_id: str | None, *, rename: bool) -> Imported:
        source: str = whole.thread["thread_id"]
        name = thread_id or source
        if await self._reads.thread(name) is not None:
            if not rename or thread_id is not None:
                raise Conflict(f"thread {name} exists: give the imported one another id", code="thread_exists")
            name = uuid7()
        renamed = await self._archive.taken(whole.executions)
        names = Names.new(whole.executions, whole.runs) if renamed else Names()
        entry = _Entry(whole, name, names)

        async def rows(known: Mapping[str, KnownDefinition]) -> AsyncIterator[Batch]:
            await spool.rewind()
            while lines := await asyncio.to_thread(spool.lines, _BATCH, self._longest):
                for batch in await asyncio.to_thread(entry.rows, lines, known):
                    yield batch
            yield "event", entry.last_events()

        await self._archive.restore(name, whole.definitions, rows)
        return Imported(
            thread_id=name,
            source_thread_id=source,
            status=entry.status,
            head_version=whole.thread["head_version"],
            last_version=whole.thread["last_version"],
            renamed=renamed,
            counts=whole.header["counts"],
        )


class _Entry:
    """The rows of a file as they come in: under their new names, and such that nothing runs by itself."""

    def __init__(self, whole: Whole, thread_id: str, names: Names) -> None:
        self._whole = whole
        self._thread_id = thread_id
        self._names = names
        kept = whole.thread["status"] in _KEEPS_ITS_STATUS
        self.status = whole.thread["status"] if kept else Status.PAUSED
        self._paused = not kept

    def rows(self, lines: list[bytes], known: Mapping[str, KnownDefinition]) -> list[Batch]:
        """What these lines hold, by kind."""
        found: list[Batch] = []
        for line in lines:
            what, row = row_of(line[:-1], 0)
            if what in (HEADER, END, "definition"):
                continue
            if not found or found[-1][0] != what:
                found.append((what, []))
            found[-1][1].append(self._row(what, self._names.apply(what, row), known))
        return found

    def last_events(self) -> list[Row]:
        """The event that tells why it does not run, of a thread that did."""
        if not self._paused:
            return []
        thread = self._whole.thread
        data = {"status": "paused", "progress": self._whole.progress, "imported_from": thread["thread_id"]}
        event = dict.fromkeys(("step_id", "run_id", "attempt")) | {
            "seq": thread["last_seq"] + 1,
            "execution_id": thread["execution_id"],
            "name": events.WORKFLOW_PAUSED,
            "version": thread["head_version"],
            "at": utc_now(),
            "data": jsontext.dumps(data),
        }
        return [self._names.apply("event", event)]

    def _row(self, what: str, row: Row, known: Mapping[str, KnownDefinition]) -> Row:
        match what:
            case "thread":
                return self._thread(row, known)
            case "execution":
                return self._execution(row, known)
            case "step" if row["status"] == StepStatus.RUNNING:
                return row | {"status": StepStatus.WAITING}  # nobody is at it: a resume tries it again
            case _:
                return row

    def _thread(self, row: Row, known: Mapping[str, KnownDefinition]) -> Row:
        alone: dict[str, Any] = {}
        if self._thread_id != row["thread_id"] or self._names.executions:  # a copy is nobody's sub-workflow
            alone = {"parent_thread_id": None, "parent_run_id": None}
        return row | {
            "thread_id": self._thread_id,
            "definition_id": known[row["definition_id"]].id,
            "status": self.status,
            "epoch": 1,  # nobody has driven it here, nor written anything
            "rev": 0,
            "wake_at": None,
            "recoveries": 0,
            "last_seq": row["last_seq"] + self._paused,
            "updated_at": utc_now(),
            **alone,
        }

    def _execution(self, row: Row, known: Mapping[str, KnownDefinition]) -> Row:
        """It names the workflow as it is known here; one without a version can only be named by its document."""
        definition = known.get(row["workflow_id"] or "")
        version = definition.version if definition is not None else None
        named = definition.id if definition is not None and version is not None else None
        status = row["status"] if row["status"] in ENDED else self.status
        return row | {"workflow_id": named, "workflow_version": version, "status": status}


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    """The next piece of a file, None at its end: whoever sends nothing must not keep others from sending theirs."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await anext(pieces, None)
    except TimeoutError:
        raise InvalidRequest(f"nothing has come for {_PATIENCE:g} s", code="invalid_export") from None


def _version() -> str:
    try:
        return version("backstitch")
    except PackageNotFoundError:
        return "unknown"
