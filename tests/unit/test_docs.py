"""What README.md and docs/ show must hold: links, commands, settings, paths, workflow documents and Python."""

from __future__ import annotations

import ast
import functools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from app.cli.root import app as cli
from app.domain import document
from app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
SETTINGS = {name.upper() for name in Settings.model_fields}
NOT_OURS = {"BACKSTITCH_URL", "PATH", "PYTHONPATH", "ARGS", "COVER", "WORKERS", "UPGRADE", "THREAD", "BIN", "PSQL", "U"}
NOT_OURS |= {
    "DOSE",
    "ROWS",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "NO_SETUID_FIXUP",
    "NAME",
    "STEP",
    "EXECUTION",
    "REPOSITORY",
}
NOT_OURS |= {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "SERVER", "TOOL"}
NOT_OURS |= {"AGENTS_DIR", "MCP_SERVERS"} - SETTINGS
NOT_OURS |= {"CLAUDE_CODE_MAX_RETRIES", "SUMMARISER_TOKEN"}
NOT_OURS |= {f"OTEL_{name}" for name in ("TRACES_SAMPLER", "TRACES_SAMPLER_ARG", "RESOURCE_ATTRIBUTES")}
NOT_OURS |= {f"OTEL_BSP_{name}" for name in ("SCHEDULE_DELAY", "MAX_QUEUE_SIZE")}
NOT_OURS |= {f"OTEL_EXPORTER_OTLP_{name}" for name in ("TIMEOUT", "COMPRESSION", "CERTIFICATE")}
NOT_OURS |= {"ENDPOINT"}
NOT_OURS |= {"HTTP_PROXY", "WEBHOOK_SECRET"}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path, *languages: str) -> list[str]:
    found = FENCE.finditer(page.read_text(encoding="utf-8"))
    return [match[2] for match in found if match[1] in languages]


def code(page: Path) -> list[str]:
    """Code in the text, and the lines of blocks: of a console only what is typed, lines that go on joined."""
    lines = re.findall(r"`([^`\n]+)`", prose(page))
    for block in blocks(page, "sh", ""):
        lines += block.replace("\\\n", " ").splitlines()
    for block in blocks(page, "console"):
        typed = re.findall(r"^\$ (.*)$", block.replace("\\\n", " "), re.MULTILINE)
        lines += typed
    return lines


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    titles = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in HEADING.findall(prose(page))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: Path) -> list[list[str]]:
    """The words after `backstitch`, up to a pipe, a comment or the like."""
    found: list[list[str]] = []
    for line in code(page):
        match = re.search(r"(?:^|[|;] ?|[\w./]/|[A-Z]+=\S+ )backstitch ((?:[^|;#\"']|\"[^\"]*\"|'[^']*')+)", line)
        if match:
            found.append(shlex.split(match[1]))
    return found


@each_page
def test_every_relative_link_resolves(page: Path) -> None:
    broken: list[str] = []
    for link in LINK.findall(prose(page)):
        name, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@functools.cache
def root_command() -> Any:
    """The command line, which takes a while to put together."""
    return typer.main.get_command(cli)


@each_page
def test_every_command_shown_exists(page: Path) -> None:
    root = root_command()
    for words in commands(page):
        shown, command = iter(words), root
        parameters = [*root.params]
        while known := getattr(command, "commands", None):  # a group's, which typer does not type
            name = next(shown, None)
            if name is None:  # a group that does something by itself
                assert getattr(command, "invoke_without_command", False), words
                break
            assert name in known, words
            command = known[name]
            parameters += command.params
        options = {option for parameter in parameters for option in parameter.opts} | {"--help", "-h"}
        used = {re.split("[=]", word)[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= options, words


@each_page
def test_every_setting_named_exists(page: Path) -> None:
    for line in code(page):
        named = set(re.findall(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b(?!\()", line))
        named |= set(re.findall(r"(?:^|[\s-])([A-Z][A-Z0-9_]+)=", line))
        assert named <= SETTINGS | NOT_OURS, line


def test_the_page_on_configuration_and_the_example_file_have_every_setting() -> None:
    page = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs/configuration.md").read_text(encoding="utf-8")))
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert page >= SETTINGS
    assert example == SETTINGS


@each_page
def test_every_workflow_document_shown_is_valid(page: Path) -> None:
    for block in blocks(page, "yaml", "yml"):
        loaded = yaml.safe_load(block)
        if isinstance(loaded, dict) and {"name", "steps"} <= loaded.keys():
            assert document.parse(block).name == loaded["name"]


@each_page
def test_every_python_shown_compiles(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@each_page
def test_every_path_of_the_project_named_exists(page: Path) -> None:
    for path in re.findall(r"`((?:app|tests|migrations|scripts|benchmarks|requirements)/[\w./-]+)`", prose(page)):
        assert (ROOT / path).exists(), path


def agents_in(text: str) -> set[str]:
    """The agents that a page or an example defines."""
    found = re.findall(r'@(?:agent|graph)\(\s*"([\w.-]+)"', text) + re.findall(r'"name": "([\w.-]+)", "kind":', text)
    return {*found, *re.findall(r"^name: ([\w.-]+)\nkind:", text, re.MULTILINE)}


def test_no_two_pages_call_their_agents_alike() -> None:
    folders: dict[str, set[str]] = {}
    for file in (ROOT / "docs/examples").rglob("*.*"):
        if file.suffix in {".py", ".yaml"}:
            folders.setdefault(file.relative_to(ROOT / "docs/examples").parts[0], set()).update(
                agents_in(file.read_text(encoding="utf-8"))
            )
    homes = {
        name: {folder for folder in folders if name in folders[folder]} for names in folders.values() for name in names
    }
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        own = {name for folder, names in folders.items() if f"examples/{folder}/" in text for name in names}
        for name in agents_in(text) - own:
            homes.setdefault(name, set()).add(page.name)
    assert len(homes) > 20
    assert {name: sorted(found) for name, found in homes.items() if len(found) > 1} == {}


def test_the_commands_of_the_quickstart_are_seen() -> None:
    shown = {words[0] for words in commands(ROOT / "docs/quickstart.md")}
    assert shown >= {"serve", "invoke", "resume", "status", "rollback", "watch", "history"}
