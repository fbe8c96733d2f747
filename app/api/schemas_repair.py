"""The answers about damaged state, for the OpenAPI document."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from app.domain.status import Status


class FindingDocument(BaseModel):
    """One thing that is not as it was written; `quarantined`: it was put aside."""

    kind: Literal["checkpoint", "output", "input", "missing", "event", "format"]
    version: int | None
    step_id: str | None
    run_id: str | None
    execution_id: str | None
    problem: str
    quarantined: bool


class QuarantinedDocument(BaseModel):
    """A damaged text that was put aside; `expected_sha256` in hex, `stored` the text as it was found."""

    id: str
    kind: Literal["checkpoint", "output", "input", "missing", "event", "format"]
    version: int | None
    step_id: str | None
    run_id: str | None
    execution_id: str | None
    problem: str
    expected_sha256: str | None
    stored: str | None
    found_at: str


class VersionsChecked(BaseModel):
    """How many versions there should be, and which can be read whole."""

    checked: int
    valid: list[int]


class VerifyAnswer(BaseModel):
    """Whether all that is stored of a thread is as it was written; `head_valid`: it can go on from where it is."""

    thread_id: str
    status: Status
    valid: bool
    head_version: int
    head_valid: bool
    versions: VersionsChecked
    findings: list[FindingDocument]
    quarantined: list[QuarantinedDocument]


class RepairAnswer(BaseModel):
    """What a repair did; `repaired` false: there was nothing to do.  `to_version` null: no sound version is left."""

    thread_id: str
    execution_id: str
    status: Status
    repaired: bool
    from_version: int
    to_version: int | None
    reruns: list[str]
    findings: list[FindingDocument]
