"""The versions that people may look at and return to: those that the checkpoint policy shows, and the head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.domain.checkpoints import hidden, is_shown

if TYPE_CHECKING:
    from app.domain.ports import Reads
    from app.domain.records import CheckpointRecord, ThreadRecord

_AROUND: Final = 500
"""Versions on either side among which the nearest that are shown are looked for."""


async def check_shown(reads: Reads, thread: ThreadRecord, checkpoint: CheckpointRecord) -> CheckpointRecord:
    """The version.  Raises NotFound (version_not_found) that names the nearest shown ones for one that is not."""
    if is_shown(checkpoint, thread.head_version):
        return checkpoint
    version = checkpoint.version
    known = await reads.checkpoints(thread.thread_id, first=max(1, version - _AROUND), last=version + _AROUND)
    raise hidden(version, known, thread.head_version)
