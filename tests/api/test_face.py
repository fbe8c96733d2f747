"""How the page in the browser is served: its document, its files, and what they may do."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette

from app.api.face import FOLDER, Face

if TYPE_CHECKING:
    from pathlib import Path

PAGES = ("/", "/threads", "/threads/order-1.a:b", "/workflows/sewing/edit", "/start/sewing", "/operations", "/compare")


def links(document: str) -> list[str]:
    return re.findall(r'(?:href|src)="(/ui/[^"]+)"', document)


@pytest.mark.parametrize("path", PAGES)
async def test_each_address_of_a_page_gives_the_document(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-cache"


async def test_everything_that_the_document_names_is_there(client: httpx.AsyncClient) -> None:
    document = (await client.get("/threads/some-thread")).text
    named = links(document)
    assert any(name.endswith("/js/pages/thread.js") for name in named), "what the page itself needs is named beforehand"
    for name in named:
        answer = await client.get(name)
        assert answer.status_code == 200, name
        assert answer.headers["cache-control"] == "max-age=31536000, immutable"


async def test_nothing_inline_runs_and_nobody_frames_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=|\bstyle=", answer.text) == []


async def test_files_come_packed_to_who_can_unpack(client: httpx.AsyncClient) -> None:
    main = next(name for name in links((await client.get("/")).text) if name.endswith("/js/main.js"))
    plain = await client.get(main, headers={"Accept-Encoding": "identity"})
    packed = await client.get(main, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content == (FOLDER / "js" / "main.js").read_bytes()
    assert int(packed.headers["content-length"]) == len(gzip.compress(plain.content, mtime=0))


async def test_a_file_under_another_digest_is_given_and_not_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/ui/0000000000000000/js/main.js")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("path", ["js/nothing.js", "index.html", "../api/face.py", "%2e%2e/api/face.py", "js/", ""])
async def test_nothing_else_is_given(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/ui/0/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_file_that_changes_on_the_disk_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "index.html").write_text('<script src="{base}/js/main.js"></script>')
    (tmp_path / "js" / "main.js").write_text("1")
    transport = httpx.ASGITransport(app=Starlette(routes=Face(tmp_path).routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        before = links((await client.get("/")).text)
        (tmp_path / "js" / "main.js").write_text("22")
        after = links((await client.get("/")).text)
        assert before != after
        assert (await client.get(after[0])).text == "22"


async def test_what_a_module_fetches_later_is_not_named_beforehand(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "index.html").write_text("<!--preload-->")
    modules = {"main": "import \"./a.js\";export{b}from'./b.js'\nimport('./late.js');\nload();import(\"./later.js\")"}
    for name, text in {**modules, "a": "1", "b": "2", "late": "3", "later": "4"}.items():
        (tmp_path / "js" / f"{name}.js").write_text(text)
    transport = httpx.ASGITransport(app=Starlette(routes=Face(tmp_path).routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        named = [link.rpartition("/")[2] for link in links((await client.get("/")).text)]
    assert sorted(named) == ["a.js", "b.js", "main.js"]


async def test_a_page_takes_nothing_of_the_machine_and_lends_nothing_to_others(client: httpx.AsyncClient) -> None:
    document = await client.get("/")
    for answer in (document, await client.get(links(document.text)[0])):
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert document.headers["cross-origin-resource-policy"] == "same-origin"
    assert document.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in document.headers["permissions-policy"]
    assert "data:" not in document.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/threads/%3Fx", "/threads/%23", "/compare/", "/agents/a%2Fb", "/start/%00"])
async def test_an_odd_address_of_a_page_gives_the_document_too(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, headers={"Host": "a/nowhere/b"})).status_code == 200
