"""The kind of agents of docs/extending.md, in a package of its own: a real service loads and performs it."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

from tests.acceptance.service import ROOT, Service, environment, run_cli, running
from tests.unit.test_docs import blocks

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "extending.md"


def install(folder: Path, module: str, code: str, entries: dict[str, str]) -> dict[str, str]:
    """What an installed package leaves on the path; the settings of a service that sees it."""
    (folder / f"{module}.py").write_text(code)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[backstitch.agent_kinds]", *lines, ""]))
    return {"PYTHONPATH": f"{environment()['PYTHONPATH']}:{folder}"}


def test_the_kind_of_the_docs_is_loaded_and_performed(tmp_path: Path) -> None:
    code, (herald, announce) = blocks(PAGE, "python")[0], blocks(PAGE, "yaml")
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 10
    entries = tomllib.loads(blocks(PAGE, "toml")[0])["project"]["entry-points"]["backstitch.agent_kinds"]
    settings = install(tmp_path, "shout", code, entries)
    (tmp_path / "herald.yaml").write_text(herald)
    (tmp_path / "announce.yaml").write_text(announce)
    with running(tmp_path / "service", **settings) as service:
        applied = run_cli("--url", service.url, "agents", "apply", "herald.yaml", cwd=tmp_path)
        assert applied.stdout == "agent herald is in version 1\n"
        command = ("invoke", "announce.yaml", "--set", "text=hear", "--wait")
        done = run_cli("--url", service.url, *command, cwd=tmp_path)
        assert json.loads(done.stdout) == {"call": "HEAR!!"}
        wrong = service.http.post("/api/agents", json={"name": "x", "kind": "shout", "config": {"marks": "many"}})
        assert (wrong.status_code, wrong.json()["problems"][0]["pointer"]) == (422, "/config/marks")


def refused(folder: Path, code: str, entries: dict[str, str]) -> str:
    """What a service says that does not start for such a package."""
    service = Service(folder / "service", {**install(folder, "shout", code, entries), "CHECKPOINTER": "memory"})
    try:
        service.start()
        assert service.process is not None
        assert service.process.wait(60) == 2
        return service.log.read_text()
    finally:
        service.close()


def test_a_kind_that_cannot_be_keeps_the_service_from_starting(tmp_path: Path) -> None:
    cases = {
        "python": ("class Shout: pass", "the kind of agents python (shout:Shout) has a name that is taken"),
        "shout": ("class Shout: pass", "(shout:Shout) has no config_schema, check, perform"),
        "broken": ("def Shout(): raise ValueError('no')", "(shout:Shout) cannot be made: no"),
    }
    for name, (code, told) in cases.items():
        folder = tmp_path / name
        folder.mkdir()
        assert told in refused(folder, code, {name: "shout:Shout"})
