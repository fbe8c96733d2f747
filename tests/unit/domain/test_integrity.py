"""Integrity: any change of any stored text is found, and what is sound never is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import formats, integrity, jsontext
from app.domain.ids import uuid7
from app.domain.records import CheckpointRecord, ExecutionRecord, StepRecord
from app.domain.state import resolve
from app.domain.status import Status, StepStatus
from app.domain.times import utc_now

RUN, SOURCE = uuid7(), uuid7()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)


def checkpoint(version: int, manifest: Any, **changes: Any) -> CheckpointRecord:
    text = manifest if isinstance(manifest, str) else jsontext.dumps(manifest)
    fields = {
        "thread_id": "t",
        "version": version,
        "parent_version": version - 1 or None,
        "base_version": 1,
        "execution_id": SOURCE,
        "step_id": "START" if version == 1 else f"s{version}",
        "trigger": "step",
        "manifest": text,
        "sha256": jsontext.sha256(text),
        "size_bytes": 1,
        "progress": 0.0,
        "created_at": utc_now(),
    }
    return formats.read(CheckpointRecord(**(fields | changes)))


def full(**parts: Any) -> dict[str, Any]:
    return {"full": True, "input": SOURCE, "steps": {}, "context": {}, **parts}


def chain(length: int) -> list[CheckpointRecord]:
    rest = [checkpoint(at, {"steps": {f"s{at}": [uuid7(), "completed"]}}) for at in range(2, length + 1)]
    return [checkpoint(1, full()), *rest]


def run(output: str | None, digest: bytes | None, **changes: Any) -> StepRecord:
    record = StepRecord(
        id=RUN,
        thread_id="t",
        execution_id=SOURCE,
        key_execution_id=SOURCE,
        step_id="a",
        step_index=0,
        status=StepStatus.COMPLETED,
        output=output,
        output_sha256=digest,
    )
    return replace(record, **changes)


def execution(text: str | None, digest: bytes | None) -> ExecutionRecord:
    return ExecutionRecord(
        id=SOURCE,
        thread_id="t",
        workflow_id=None,
        workflow_name="w",
        workflow_version=None,
        kind="invoke",
        status=Status.RUNNING,
        input=text,
        input_sha256=digest,
        created_at=utc_now(),
    )


def flip(text: str, data: st.DataObject) -> str:
    """The text with one bit of one byte turned, as a disk would."""
    raw = bytearray(text.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    return raw.decode("utf-8", "surrogateescape")


@given(JSON, st.data())
def test_any_flipped_bit_of_an_output_is_found(value: Any, data: st.DataObject) -> None:
    text = jsontext.dumps(value)
    assert integrity.check_output(run(text, jsontext.sha256(text)), RUN, "a", completed=True) == []
    [found] = integrity.check_output(run(flip(text, data), jsontext.sha256(text)), RUN, "a", completed=True)
    assert (found.kind, found.step_id, found.problem) == ("output", "a", integrity.DIGEST)


@given(JSON, st.data())
def test_any_flipped_bit_of_an_input_is_found(value: Any, data: st.DataObject) -> None:
    text = jsontext.dumps(value)
    assert integrity.check_input(execution(text, jsontext.sha256(text)), SOURCE) == []
    [found] = integrity.check_input(execution(flip(text, data), jsontext.sha256(text)), SOURCE)
    assert (found.kind, found.execution_id) == ("input", SOURCE)


@given(st.integers(0, 5), st.data())
def test_any_flipped_bit_of_any_manifest_is_found(place: int, data: st.DataObject) -> None:
    versions = chain(6)
    assert integrity.check_chain(versions, 6) == []
    hurt = versions[place]
    versions[place] = replace(hurt, manifest=flip(hurt.manifest, data))
    assert [found.version for found in integrity.check_chain(versions, 6)] == [hurt.version]
    assert integrity.check_chain(versions, hurt.version - 1) == [] or hurt.version == 1


@pytest.mark.parametrize(
    "manifest",
    [
        "[]",
        "7",
        '{"steps":[]}',
        '{"steps":{"a":["run"]}}',
        '{"steps":{"a":["run","no status"]}}',
        '{"steps":{"a":{}}}',
        '{"steps":{"a":["run",[]]}}',
        '{"context":{"x":["where","run"]}}',
        '{"context":{"x":["at",9]}}',
        '{"literals":null}',
        '{"input":null}',
        "{",
    ],
)
def test_a_text_that_is_no_manifest_is_found_though_its_digest_holds(manifest: str) -> None:
    [found] = integrity.check_chain([checkpoint(1, full()), checkpoint(2, manifest)], 2)
    assert found.version == 2
    assert "manifest" in found.problem


@pytest.mark.parametrize(
    "links",
    [
        {"parent_version": 3},
        {"parent_version": 7},
        {"parent_version": 0},
        {"parent_version": None},
        {"base_version": 3},
        {"base_version": 5},
        {"base_version": 0},
    ],
)
@pytest.mark.parametrize("written", [True, False])
def test_a_link_that_leads_nowhere_is_found_and_never_followed_for_ever(links: dict[str, Any], written: bool) -> None:
    versions = chain(3)
    wrong = checkpoint(3, {"steps": {"s3": [uuid7(), "completed"]}}, **links)  # and its text says the same
    versions[2] = wrong if written else replace(versions[2], **links)
    assert integrity.check_chain(versions, 3)
    assert integrity.check_timeline(versions, 3)
    integrity.salvage(versions, 3)


def test_a_missing_link_is_named() -> None:
    versions = chain(5)
    del versions[2]
    [found] = integrity.check_chain(versions, 5)
    assert (found.kind, found.version) == ("missing", 3)


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (None, "missing"),
        (run(None, jsontext.sha256("1")), "missing"),
        (run(None, None), "missing"),
        (run("1", None), "output"),
    ],
)
def test_a_completed_step_without_its_output_or_digest_is_found(record: StepRecord | None, kind: str) -> None:
    assert [found.kind for found in integrity.check_output(record, RUN, "a", completed=True)] == [kind]


def test_a_skipped_step_needs_no_output() -> None:
    assert integrity.check_output(run(None, None, status=StepStatus.SKIPPED), RUN, "a", completed=False) == []


@pytest.mark.parametrize("record", [None, execution(None, jsontext.sha256("1"))])
def test_an_input_that_is_gone_is_found(record: ExecutionRecord | None) -> None:
    assert [found.kind for found in integrity.check_input(record, SOURCE)] == ["missing"]


def test_what_is_salvaged_is_the_state_where_nothing_is_damaged() -> None:
    versions = chain(6)
    assert integrity.salvage(versions, 6) == resolve(versions, 6)
    versions[3] = replace(versions[3], manifest="{}")
    assert integrity.salvage(versions, 6).done() == ["s2", "s3", "s5", "s6"]


def test_the_same_damage_has_the_same_id_and_another_text_another() -> None:
    damaged = [run(text, b"digest") for text in ("1", "1", "2")]
    first, again, other = (integrity.check_output(one, RUN, "a", completed=True)[0].id for one in damaged)
    assert first == again != other
