"""The commands `workflow register` and `workflow validate`: documents for the service to start by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from app.cli.options import Common, service_command
from app.cli.rendering import print_json, program, say
from app.cli.values import file_text

if TYPE_CHECKING:
    from app.client import Backstitch

_INVALID: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDocument(Common):
    """Options of `workflow register` and `workflow validate`."""

    file: Annotated[Path, typer.Argument(metavar="FILE", help="A workflow document in YAML or JSON.")]


def register(app: typer.Typer) -> None:
    """Add both to the group `app`."""
    service_command(app, OfDocument)(register_)
    service_command(app, OfDocument)(validate)


async def register_(service: Backstitch, o: OfDocument) -> int:
    """Register a workflow, or its next version: triggers, schedules and starts know it by its name from now on.

    The same content is the same version.
    """
    found = await service.workflows.register(file_text(o.file, "FILE"))
    if o.json:
        print_json(found)
    else:
        say(f"workflow {found['name']} is registered in version {found['version']}:", ", ".join(found["steps"]))
        say(f"start it with: {program()} invoke {found['name']}")
    return 0


async def validate(service: Backstitch, o: OfDocument) -> int:
    """Check a workflow document; nothing is registered. Exit 1 unless it holds."""
    found = await service.workflows.validate(file_text(o.file, "FILE"))
    if o.json:
        print_json(found)
    elif found["valid"]:
        say(f"{o.file} holds: workflow {found['name']} of the steps", ", ".join(found["steps"]))
    else:
        for problem in found["problems"]:
            line = problem.get("line")
            where = "" if line is None else f"line {line}, "
            say(f"{where}{problem['pointer'] or '(document)'}: {problem['message']}")
    return 0 if found["valid"] else _INVALID
