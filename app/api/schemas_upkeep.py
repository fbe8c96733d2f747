"""The answers about moved threads and stored formats, for the OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel

from app.domain.status import Status


class ReasonDocument(BaseModel):
    """Why a thread cannot be moved; `step_id` is the step that stands in the way, if one does."""

    code: str
    step_id: str | None
    message: str


class MovedDocument(BaseModel):
    """What became of one thread; `status` is the one before, null where there is no such thread."""

    thread_id: str
    status: Status | None
    from_version: int | None
    can_move: bool
    moved: bool
    execution_id: str | None
    reasons: list[ReasonDocument]


class MigrateAnswer(BaseModel):
    """What became of the threads of this page; `can_move` counts those that could be, or have been, moved."""

    workflow: str
    to_version: int | None
    dry_run: bool
    can_move: int
    moved: int
    refused: int
    threads: list[MovedDocument]
    next_cursor: str | None


class FormatDocument(BaseModel):
    """How many versions are stored in a format; `known`: this release can read them."""

    format: int
    versions: int
    known: bool


class FormatsAnswer(BaseModel):
    """In which formats versions are stored; new ones are written in `current`."""

    current: int
    formats: list[FormatDocument]


class UpgradeAnswer(BaseModel):
    """What a batch did, or would do; `damaged` ones stay as they are.  `next_cursor` null: that was the last batch."""

    dry_run: bool
    current: int
    checked: int
    upgraded: int
    damaged: int
    next_cursor: str | None
