"""The command `doctor`: checks the installation, the settings, the database, the code and the service, and says what to do."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from app.cli.doctor_findings import problem, skipped
from app.cli.options import DEFAULT_URL, Common, command
from app.cli.rendering import encodable, print_json, say

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from app.cli.doctor_findings import Finding
    from app.settings import Settings

_INTERRUPTED: Final = 130
_MARKS: Final = {
    "ok": ("✓", "+", "green"),
    "warning": ("!", "!", "yellow"),
    "problem": ("✗", "x", "red"),
    "skipped": ("-", "-", "dim"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor(Common):
    """Options of `doctor`."""

    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help="The data folder, in place of DATA_DIR.")
    ] = None


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    command(app, Doctor)(doctor)


def doctor(o: Doctor) -> int:
    """Check the installation, the settings, the database, the code that is to run, and the service if one runs.

    Each finding says what to do about it. Exit code 0 when there is no problem; warnings are none. Nothing is changed,
    and no secret is shown.
    """
    try:
        findings = asyncio.run(_examined(o))
    except KeyboardInterrupt:
        return _INTERRUPTED
    problems = sum(one.level == "problem" for one in findings)
    if o.json:
        print_json({"healthy": problems == 0, "findings": [asdict(one) for one in findings]})
    else:
        _show(findings)
    return 1 if problems else 0


async def _examined(o: Doctor) -> list[Finding]:
    found = await _part("installation", _installation(o))
    found += await _part("settings", _rest(o))
    return found


async def _part(name: str, work: Coroutine[None, None, list[Finding]]) -> list[Finding]:
    """What a part finds; that it breaks is a finding too, since a broken installation is what this is for."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001
        told = f"this part cannot be looked at: {type(error).__name__}: {error}"
        return [problem(name, told, "mend what stands above first")]


async def _installation(o: Doctor) -> list[Finding]:
    # Loaded here: --help and the other commands need none of it.
    from app.cli import doctor_settings  # noqa: PLC0415
    from app.cli.doctor_installation import installation  # noqa: PLC0415

    settings, _ = doctor_settings.read(o.data_dir)
    embedded = settings is not None and settings.is_durable and settings.database_dsn is None
    return list(installation(settings.data_dir if settings is not None and embedded else None))


async def _rest(o: Doctor) -> list[Finding]:
    from app.cli import doctor_settings  # noqa: PLC0415
    from app.cli.doctor_service import service  # noqa: PLC0415
    from app.cli.process import url_of  # noqa: PLC0415

    settings, told = doctor_settings.read(o.data_dir)
    if settings is None:
        unknown = [skipped(part, "the settings come first") for part in ("database", "code")]
        return [*told, *unknown, *(await service(o.service))[0]]
    own = url_of(settings.host, settings.port)
    asked = own if o.service == DEFAULT_URL else o.service  # the default is not what anybody asked for
    running, served = await service(asked)
    if asked != own:
        served = (await service(own))[1]
    return [
        *told,
        doctor_settings.port(settings, served=served),
        *await _part("database", _database(settings)),
        *await _part("code", _code(settings)),
        *running,
    ]


async def _database(settings: Settings) -> list[Finding]:
    from app.cli.doctor_database import database  # noqa: PLC0415

    return await database(settings)


async def _code(settings: Settings) -> list[Finding]:
    from app.cli.doctor_code import code  # noqa: PLC0415

    return await code(settings)


def _show(findings: Sequence[Finding]) -> None:
    width = max(len(one.part) for one in findings)
    for one in findings:
        sign, plain, style = _MARKS[one.level]
        mark = Text(sign if encodable(sign) else plain, style=style)
        say(mark, f"{one.part:{width}} ", one.message)
        if one.advice is not None:
            say(" ", " " * width, Text(f" -> {one.advice}" if not encodable("→") else f" → {one.advice}"))
    counts = {level: sum(one.level == level for one in findings) for level in ("problem", "warning")}
    plural = {level: f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items()}
    say(f"\n{plural['problem']}, {plural['warning']}")
