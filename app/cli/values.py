"""Reads the values that commands are given: JSON in place, from a file or from stdin, and `name=value` pairs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final, cast

import typer

_DOCUMENTS: Final = frozenset({".yaml", ".yml", ".json"})


def json_value(text: str, option: str) -> object:
    """The JSON value that `text` is, or that the file after `@` holds, or stdin for `-`."""
    if text == "-":
        text = _stdin(option)
    elif text.startswith("@"):
        text = _read(Path(text[1:]), option)
    from app.domain import errors, jsontext  # noqa: PLC0415 - --help need not load them

    try:
        return jsontext.loads(text)
    except errors.JsonError as error:
        raise typer.BadParameter(f"{option}: {error}") from error


def pairs(given: list[str] | None, option: str, *, lenient: bool = False) -> dict[str, Any] | None:
    """`name=JSON` pairs as an object, None for none; `lenient` takes what is not JSON as a string."""
    found: dict[str, Any] = {}
    for pair in given or []:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{option} takes NAME=VALUE, not {pair!r}")
        found[name] = scalar(value) if lenient else json_value(value, f"{option} {name}")
    return found or None


def file_text(path: Path, option: str) -> str:
    """What a file says."""
    return _read(path, option)


def agent_document(path: Path) -> dict[str, Any]:
    """The document of an agent in a YAML or JSON file."""
    text = _read(path, "FILE")
    from app.domain import document_text, errors  # noqa: PLC0415 - only this needs them

    try:
        return document_text.load(text, no_object="an agent is an object with name and kind")
    except errors.InvalidWorkflow as error:
        raise typer.BadParameter(f"{path} is not a document of an agent: {error.problems[0].message}") from error


def schedule_document(name: str) -> str | dict[str, Any]:
    """`name` itself, or the document of a schedule when it is the path of a YAML or JSON file."""
    path = Path(name)
    if path.suffix.lower() not in _DOCUMENTS:
        return name
    text = _read(path, "NAME")
    from app.domain import document_text, errors  # noqa: PLC0415 - only this needs them

    try:
        return document_text.load(text, no_object="a schedule is an object with name, workflow, and cron or every")
    except errors.InvalidWorkflow as error:
        raise typer.BadParameter(f"{name} is not a document of a schedule: {error.problems[0].message}") from error


def workflow(name: str) -> str | dict[str, Any]:
    """`name` itself, or the document when it is the path of a YAML or JSON file."""
    path = Path(name)
    if path.suffix.lower() not in _DOCUMENTS:
        return name
    text = _read(path, "WORKFLOW")
    from app.domain import document_text, errors  # noqa: PLC0415 - only this needs them

    try:
        return document_text.load(text)
    except errors.InvalidWorkflow as error:
        raise typer.BadParameter(f"{name} is not a workflow document: {error.problems[0].message}") from error


def merged(given: object, pieces: dict[str, Any] | None) -> object:
    """The input: `given`, with the pieces of `--set` put into it."""
    if not pieces:
        return given
    if given is not None and not isinstance(given, dict):
        raise typer.BadParameter("--set needs an input that is a JSON object")
    return {**cast("dict[str, Any]", given or {}), **pieces}


def scalar(text: str) -> object:
    """A JSON value, or the text itself where it is none."""
    from app.domain import errors, jsontext  # noqa: PLC0415 - --help need not load them

    try:
        return jsontext.loads(text)
    except errors.JsonError:
        return text


def _stdin(option: str) -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{option}: stdin is not UTF-8") from error


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise typer.BadParameter(f"{option}: cannot read {path}: {reason}") from error
