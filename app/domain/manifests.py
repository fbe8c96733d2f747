"""Whether a text is a manifest, and the one that belongs into its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.errors import JsonError
from app.domain.state import FORMAT, Writing
from app.domain.status import StepStatus

if TYPE_CHECKING:
    from app.domain.records import CheckpointRecord

_STATUSES: Final = frozenset(status.value for status in StepStatus)
_COLUMNS: Final = ("version", "parent_version", "base_version", "execution_id", "step_name", "trigger")
"""In the order in which a manifest names them."""


def manifest_problem(checkpoint: CheckpointRecord) -> str | None:
    """What is wrong with a text that is the one that was written, as the manifest of its row; None for nothing."""
    try:
        manifest = jsontext.loads(checkpoint.manifest)
    except JsonError as error:
        return f"its manifest cannot be read: {error.message}"
    if not isinstance(manifest, dict) or not _is_manifest(cast("dict[str, Any]", manifest), checkpoint.version):
        return "its text is no manifest"
    full = bool(cast("dict[str, Any]", manifest).get("full"))
    if full != (checkpoint.base_version == checkpoint.version):
        return "it is full and should not be, or the other way round"
    return _identity_problem(checkpoint, cast("dict[str, Any]", manifest))


def identity_of(checkpoint: CheckpointRecord) -> list[Any]:
    """What the manifest of a version must say of itself, by its columns."""
    writing = Writing(checkpoint.parent_version, checkpoint.execution_id, checkpoint.step_id, checkpoint.trigger)
    return writing.identity(checkpoint.version, checkpoint.base_version)


def told_identity(checkpoint: CheckpointRecord) -> list[Any] | None:
    """What a manifest says of itself, in the order of `_COLUMNS`; None where it cannot be read."""
    try:
        manifest = jsontext.loads(checkpoint.manifest)
    except JsonError:
        return None
    match manifest:
        case {"of": [int(), int() | None, int(), str(), str(), str()] as told}:
            return cast("list[Any]", told)
        case _:
            return None


def _identity_problem(checkpoint: CheckpointRecord, manifest: Mapping[str, Any]) -> str | None:
    """What was written in format 1, and could not be upgraded, does not say whose it is."""
    told, row = manifest.get("of"), identity_of(checkpoint)
    if told == row or (told is None and checkpoint.format < FORMAT):
        return None
    whole = told_identity(checkpoint)
    if whole is None:
        return "its text does not say whose it is"
    changed = [name for name, written, column in zip(_COLUMNS, whole, row, strict=True) if written != column]
    if changed[0] == "version":
        return f"its text is that of version {whole[0]}"
    return f"its columns are not as its text has them: {', '.join(changed)}"


def _is_manifest(manifest: dict[str, Any], version: int) -> bool:
    steps, context, literals = (manifest.get(part, {}) for part in ("steps", "context", "literals"))
    if not all(isinstance(part, dict) for part in (steps, context, literals)):
        return False
    source = manifest.get("input", "" if manifest.get("full") else "as before")
    return (
        isinstance(source, str)
        and source != ""
        and all(_is_step(entry) for entry in cast("Mapping[str, Any]", steps).values())
        and all(_is_reference(entry, version) for entry in cast("Mapping[str, Any]", context).values())
    )


def _is_step(entry: Any) -> bool:
    if entry is None:
        return True
    match entry:
        case [str(), str(status)]:
            return status in _STATUSES
        case _:
            return False


def _is_reference(entry: Any, version: int) -> bool:
    if entry is None:
        return True
    match entry:
        case ["run", str()]:
            return True
        case ["at", int(at)]:
            return 0 < at <= version
        case _:
            return False
