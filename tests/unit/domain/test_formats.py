"""Formats: a record of any past format is upgraded without losing a character, and only when it is what was written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import formats, integrity, jsontext
from app.domain.errors import Corrupt, UnknownFormat
from app.domain.records import CheckpointRecord
from app.domain.state import FORMAT, ManifestWriter, Refs, Writing, resolve
from app.domain.times import utc_now

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def old(text: str, **changes: Any) -> CheckpointRecord:
    """Version 3 in format 1."""
    fields: dict[str, Any] = {
        "thread_id": "t",
        "version": 3,
        "parent_version": 2,
        "base_version": 1,
        "execution_id": "e",
        "step_id": "analyst",
        "trigger": "step",
        "manifest": text,
        "sha256": jsontext.sha256(text),
        "size_bytes": 1,
        "progress": 0.5,
        "created_at": utc_now(),
    }
    return CheckpointRecord(**(fields | changes))


def new(**changes: Any) -> CheckpointRecord:
    """A version as it is written today."""
    writer = ManifestWriter(Refs(input="e"), base_version=1, since_base=0, base_entries=0)
    text = writer.write(3, Writing(2, "e", "analyst", "step"))
    return old(text, format=FORMAT, **changes)


@pytest.mark.parametrize(
    ("text", "upgraded"),
    [
        ("{}", '{"of":[3,2,1,"e","analyst","step"]}'),
        ('{"steps":{"a":null}}', '{"of":[3,2,1,"e","analyst","step"],"steps":{"a":null}}'),
    ],
)
def test_a_manifest_of_format_1_gets_to_say_whose_it_is(text: str, upgraded: str) -> None:
    found = formats.upgrade_1_to_2(old(text))
    assert (found.manifest, found.format, found.sha256) == (upgraded, 2, jsontext.sha256(upgraded))


def test_what_is_written_today_is_what_an_upgrade_gives() -> None:
    assert formats.read(old("{}")).manifest == new().manifest
    assert integrity.check_checkpoint(new()) == []


@given(st.dictionaries(TEXT, st.integers() | TEXT | st.lists(TEXT)))
def test_no_character_of_the_rest_changes(literals: dict[str, Any]) -> None:
    text = jsontext.dumps({"context": {}, "literals": literals})
    found = formats.read(old(text))
    assert found.manifest.endswith(text[1:])
    assert jsontext.loads(found.manifest)["literals"] == literals
    assert integrity.check_checkpoint(found) == []


def test_a_chain_leads_from_every_past_format_to_the_newest() -> None:
    assert sorted(formats.UPGRADES) == list(range(1, FORMAT))
    assert all(
        one.format == FORMAT for one in formats.upgraded_all(old("{}", format=past) for past in formats.UPGRADES)
    )


def test_a_damaged_text_is_not_upgraded_but_found_as_it_was_written() -> None:
    damaged = replace(old("{}"), manifest='{"steps":{}}')
    assert formats.read(damaged) is damaged
    [found] = integrity.check_checkpoint(formats.read(damaged))
    assert (found.problem, found.stored) == (integrity.DIGEST, '{"steps":{}}')


def test_what_is_no_manifest_stays_what_it_is() -> None:
    [found] = integrity.check_checkpoint(formats.read(old("[]")))
    assert found.stored == "[]"


def test_a_text_of_format_2_in_a_row_that_says_1_is_read_as_it_is() -> None:
    behind = replace(new(), format=1)
    assert formats.read(behind) == replace(behind, format=FORMAT)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": 4}, "version 3"),
        ({"parent_version": 1}, "parent_version"),
        ({"base_version": 2}, "base_version"),
        ({"execution_id": "other"}, "execution_id"),
        ({"step_id": "marketer"}, "step_name"),
        ({"trigger": "end"}, "trigger"),
    ],
)
def test_a_column_that_was_changed_is_found_and_named(change: dict[str, Any], named: str) -> None:
    [found] = integrity.check_checkpoint(replace(new(), **change))
    assert (found.kind, named in found.problem) == ("checkpoint", True)


@pytest.mark.parametrize("told", ['{"of":7}', '{"of":[3,2,1,"e","analyst"]}', '{"of":[true,2,1,"e","a","step"]}', "{}"])
def test_a_text_that_does_not_say_whose_it_is_is_found(told: str) -> None:
    assert integrity.check_checkpoint(old(told, format=FORMAT))


def test_a_text_of_another_row_is_found() -> None:
    other = replace(new(), version=5, parent_version=4)
    [found] = integrity.check_checkpoint(other)
    assert found.problem == "its text is that of version 3"


def test_the_columns_of_a_damaged_row_are_not_believed_where_its_text_is_sound() -> None:
    lying = replace(new(), parent_version=1, step_id="other", execution_id="other")
    assert integrity.as_written(lying) == new(created_at=lying.created_at)
    torn = replace(lying, manifest="{")
    assert integrity.as_written(torn) is torn


def test_a_later_format_is_no_damage_and_is_refused_by_its_name() -> None:
    later = replace(new(), format=FORMAT + 1, manifest="anything", sha256=b"")
    assert formats.read(later) is later
    found = integrity.check_checkpoint(later)
    assert [one.kind for one in found] == ["format"]
    with pytest.raises(UnknownFormat) as caught:
        integrity.refuse("t", found)
    assert caught.value.code == "format_unknown"


def test_beside_damage_a_later_format_counts_first() -> None:
    damage = integrity.check_checkpoint(replace(new(), manifest="{}"))
    later = integrity.check_checkpoint(replace(new(), format=FORMAT + 1))
    with pytest.raises(UnknownFormat):
        integrity.refuse("t", [*damage, *later])
    with pytest.raises(Corrupt):
        integrity.refuse("t", damage)
    integrity.refuse("t", [])


def test_old_and_new_manifests_add_up_to_one_state() -> None:
    first = old('{"full":true,"input":"e","steps":{},"context":{}}', version=1, parent_version=None, step_id="START")
    second = old('{"steps":{"a":["r","completed"]}}', version=2, parent_version=1)
    chain = [formats.read(one) for one in (first, second)] + [new()]
    assert integrity.check_chain(chain, 3) == []
    assert resolve(chain, 3).done() == ["a"]
