"""The example of docs/time-travel.md: every command that it shows, in its order, prints what is shown there."""

from __future__ import annotations

import asyncio
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from app.cli.root import app
from tests.api.real import open_real
from tests.serving import served

if TYPE_CHECKING:
    import pytest

DOCS = Path(__file__).parents[2] / "docs"
VARIES = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "ID"),
    (r"\d+ ms", "MS"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "AT"),
    (r"[\d,]+ bytes", "BYTES"),
    (r"\S*backstitch (watch|resume)", r"backstitch \1"),
    (r" --url \S+", ""),
    (r" +", " "),
)


def plain(text: str) -> list[str]:
    for pattern, instead in VARIES:
        text = re.sub(pattern, instead, text)
    return [line.rstrip() for line in text.splitlines()]


def shown() -> list[tuple[list[str], list[str]]]:
    """The commands of the example, each with what it prints."""
    page = (DOCS / "time-travel.md").read_text(encoding="utf-8")
    block = page.partition("```console\n")[2].partition("```")[0]
    parts = [part.partition("\n") for part in block.split("$ backstitch ")[1:]]
    return [(shlex.split(command), plain(output)) for command, _, output in parts]


async def test_every_command_of_the_page_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "examples/writers"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "post.yaml").write_bytes((DOCS / "examples/writers/post.yaml").read_bytes())
    async with open_real(modules="agents") as real, served(real.application) as url:
        for words, expected in shown():
            done = await asyncio.to_thread(CliRunner().invoke, app, ["--url", url, *words])
            assert done.exit_code == 0, (words, done.output)
            assert plain(done.stdout + done.stderr) == expected, words
            if "rollback" in words:
                await real.ended("post-1")
