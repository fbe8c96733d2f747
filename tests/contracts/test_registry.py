"""Registry: the same content is the same version, a change the next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.domain.ids import uuid7

if TYPE_CHECKING:
    from app.domain.records import WorkflowRecord
    from tests.contracts.conftest import Store


async def _register(store: Store, content: int, *, name: str = "knitting", ad_hoc: bool = False) -> WorkflowRecord:
    document = f'{{"name":"{name}","content":{content}}}'
    return await store.registry.register(name=name, document=document, hash=f"{name}-{content}", ad_hoc=ad_hoc)


async def test_the_same_content_is_the_same_version_and_a_change_the_next(store: Store) -> None:
    first = await _register(store, 1)
    assert first.version == 1
    assert await _register(store, 1) == first
    assert (await _register(store, 2)).version == 2
    assert await store.registry.workflow("knitting", 1) == first
    assert (await store.registry.workflow("knitting", 3)) is None


async def test_an_older_content_again_is_its_old_version_and_the_newest_stays(store: Store) -> None:
    first, second = await _register(store, 1), await _register(store, 2)
    assert await _register(store, 1) == first
    assert await store.registry.workflow("knitting") == second


async def test_registrations_at_once_number_every_content_once(store: Store) -> None:
    for name in ("one", "two", "three", "four", "five"):  # one round alone may happen to go well without the lock
        made = await asyncio.gather(*(_register(store, number % 6, name=name) for number in range(18)))
        assert {record.version for record in made} == {1, 2, 3, 4, 5, 6}
        assert len({record.id for record in made}) == 6


async def test_an_ad_hoc_document_has_no_version_until_it_is_registered(store: Store) -> None:
    ad_hoc = await _register(store, 1, ad_hoc=True)
    assert ad_hoc.version is None
    assert await _register(store, 1, ad_hoc=True) == ad_hoc
    assert await store.registry.workflow("knitting") is None
    assert await store.registry.definition(ad_hoc.id) == ad_hoc
    assert await store.registry.of_hash(ad_hoc.hash) == ad_hoc
    registered = await _register(store, 1)
    assert (registered.id, registered.version) == (ad_hoc.id, 1)
    assert (await _register(store, 1, ad_hoc=True)).version == 1


async def test_names_are_listed_with_their_newest_version(store: Store) -> None:
    for name in ("b", "a", "a-b", "B"):
        await _register(store, 1, name=name)
    newest = await _register(store, 2, name="a")
    await _register(store, 1, name="hidden", ad_hoc=True)
    listed = await store.registry.workflows()
    assert [record.name for record in listed] == ["B", "a", "a-b", "b", "sewing"]
    assert listed[1] == newest
    assert [record.name for record in await store.registry.workflows(after="a", limit=2)] == ["a-b", "b"]


async def test_nothing_is_found_under_unknown_ids(store: Store) -> None:
    assert await store.registry.definition(uuid7()) is None
    assert await store.registry.definition("no-uuid") is None
    assert await store.registry.workflow("nobody") is None
    assert await store.registry.of_hash("0" * 64) is None


async def test_the_versions_of_a_name_come_newest_first_in_pages(store: Store) -> None:
    for content in (1, 2, 3):
        await _register(store, content)
    await _register(store, 4, ad_hoc=True)
    await _register(store, 5, name="other")
    found = await store.registry.versions("knitting", limit=2)
    assert [record.version for record in found] == [3, 2]
    assert [record.version for record in await store.registry.versions("knitting", before=2)] == [1]
    assert await store.registry.versions("nothing") == []
