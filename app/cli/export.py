"""The commands `workflow state export` and `workflow state import`: a thread as one file."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from app.cli.options import Common, OfThread, service_command
from app.cli.rendering import print_json, program, remark, say, styled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from app.client import Backstitch

_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Export(OfThread):
    """Options of `workflow state export`."""

    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it. [default: stdout]")
    ] = None
    gzip: Annotated[bool, typer.Option("--gzip", help="Pack it; also when FILE ends in .gz.")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Import(Common):
    """Options of `workflow state import`."""

    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file, packed or not; - for stdin.")]
    thread_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The new thread's id. [default: the one in the file]")
    ] = None
    rename: Annotated[
        bool, typer.Option("--rename", help="Give it a new id where there is a thread of the file's id.")
    ] = False


def register(app: typer.Typer) -> None:
    """Add these commands to the group `app`."""
    service_command(app, Export)(export)
    service_command(app, Import)(import_)


async def export(service: Backstitch, o: Export) -> int:
    """Write all of a thread into one file; it may run on meanwhile. Sub-workflows are files of their own."""
    from app.client.travel import Travel  # noqa: PLC0415 - import time of --help

    packed = o.gzip or (o.output is not None and o.output.suffix == ".gz")
    size = 0
    async with Travel(service).export(o.thread, gzip=packed) as pieces:
        with _opened(o.output) as file:
            async for piece in pieces:
                await asyncio.to_thread(file.write, piece)
                size += len(piece)
            file.flush()
    if o.output is not None:
        told = {"thread_id": o.thread, "file": str(o.output), "bytes": size}
        print_json(told) if o.json else remark(f"{o.thread}: {size:,} bytes in {o.output}")
    return 0


async def import_(service: Backstitch, o: Import) -> int:
    """Take in a thread from a file; one that had not ended is paused, until it is resumed."""
    from app.client.travel import Travel  # noqa: PLC0415 - import time of --help

    rename = "rename" if o.rename else None
    found = await Travel(service).take_in(_pieces(o.file), thread_id=o.thread_id, on_conflict=rename)
    if o.json:
        print_json(found)
        return 0
    thread = str(found["thread_id"])
    from_ = "" if thread == found["source_thread_id"] else f" (it was {found['source_thread_id']})"
    say(f"thread {thread}{from_} is", styled(str(found["status"])), f" version {found['head_version']}")
    if found["status"] == "paused":
        say(f"go on with it: {program()} resume {thread}")
    return 0


@contextmanager
def _opened(path: Path | None) -> Generator[IO[bytes]]:
    """Where the file goes: one that stands there is replaced once the new one is whole."""
    if path is None:
        yield sys.stdout.buffer
        return
    part = path if path.exists() and not path.is_file() else path.with_name(f"{path.name}.part")
    try:
        file = part.open("wb")
    except OSError as error:
        raise typer.BadParameter(f"cannot write {path}: {error.strerror}") from error
    try:
        with file:
            yield file
        if part is not path:
            part.replace(path)
    finally:
        if part is not path:
            part.unlink(missing_ok=True)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    if str(path) == "-":
        while piece := await asyncio.to_thread(sys.stdin.buffer.read, _PIECE):
            yield piece
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"cannot read {path}: {error.strerror}") from error
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
