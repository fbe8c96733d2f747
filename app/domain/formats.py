"""The formats in which checkpoints have been stored, and the way from each to the next.

| format | since | what is different |
|---|---|---|
| 1 | the first release | a manifest does not say whose it is |
| 2 | now | `of`: [version, parent, base, execution, step, trigger], covered by the digest |

An upgrade is a pure function of one record whose digest holds.  Whatever is read goes through `read`, so that all the rest
knows the newest format only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from app.domain import jsontext
from app.domain.integrity import is_text
from app.domain.manifests import identity_of
from app.domain.state import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from app.domain.records import CheckpointRecord

_SAYS: Final = '{"of":'


def read(checkpoint: CheckpointRecord) -> CheckpointRecord:
    """The record in the newest format; as it stands where its text is not the one that was written, or of a later format."""
    return checkpoint if checkpoint.format == FORMAT else upgraded(checkpoint)


def upgraded(checkpoint: CheckpointRecord) -> CheckpointRecord:
    """As `read`, for one that is not of the newest format."""
    if checkpoint.format not in UPGRADES or not is_text(checkpoint.manifest, checkpoint.sha256):
        return checkpoint
    while (upgrade := UPGRADES.get(checkpoint.format)) is not None:
        checkpoint = upgrade(checkpoint)
    return checkpoint


def upgraded_all(stored: Iterable[CheckpointRecord]) -> list[CheckpointRecord]:
    """Those that are sound, in the newest format."""
    found = (upgraded(one) for one in stored)
    return [one for one in found if one.format == FORMAT]


def upgrade_1_to_2(checkpoint: CheckpointRecord) -> CheckpointRecord:
    """The manifest says whose it is, by its columns.  The rest of its text stays as it was, character by character."""
    text = checkpoint.manifest
    if text.startswith(_SAYS):  # its column alone is behind
        return replace(checkpoint, format=2)
    if text.startswith("{"):
        rest = text[1:]
        more = "" if rest.startswith("}") else ","
        text = f"{_SAYS}{jsontext.dumps(identity_of(checkpoint))}{more}{rest}"
    return replace(checkpoint, manifest=text, sha256=jsontext.sha256(text), format=2)


UPGRADES: Final[Mapping[int, Callable[[CheckpointRecord], CheckpointRecord]]] = {1: upgrade_1_to_2}
"""By the format that they lead away from."""
