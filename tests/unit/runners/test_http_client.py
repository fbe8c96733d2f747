"""What follows a redirect: which request, with which headers, and when none does."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from app.runners.http_client import Call, RedirectRefused, header_problem, redirected

HEADERS = {"authorization": "Bearer x", "x-api-key": "y", "content-type": "application/json", "idempotency-key": "k"}


def post(url: str = "https://a.example/one?q=1") -> Call:
    return Call(method="POST", url=httpx.URL(url), headers=HEADERS, content=b"{}")


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_method_keeps_the_body(status: int) -> None:
    assert redirected(post(), status, "/two") == Call(
        method="POST", url=httpx.URL("https://a.example/two"), headers=HEADERS, content=b"{}"
    )


@pytest.mark.parametrize("status", [301, 302, 303])
def test_other_redirects_of_a_post_become_a_get(status: int) -> None:
    found = redirected(post(), status, "two")
    assert (found.method, str(found.url), found.content) == ("GET", "https://a.example/two", None)
    assert found.headers == {name: value for name, value in HEADERS.items() if name != "content-type"}


@pytest.mark.parametrize(
    "location", ["https://b.example/", "//b.example/", "https://a.example:8443/", "https://a.example.b.example/"]
)
def test_only_harmless_headers_go_to_another_origin(location: str) -> None:
    assert redirected(post(), 307, location).headers.keys() == {"content-type", "idempotency-key"}


def test_the_same_origin_may_be_written_in_full() -> None:
    assert redirected(post(), 307, "https://A.example:443/two").headers == HEADERS


@pytest.mark.parametrize(
    "location",
    [
        "http://a.example/",
        "http://b.example/",
        "ftp://a.example/",
        "https://u:p@a.example/",
        "x:",
    ],
)
def test_nothing_leads_from_https_to_less_or_to_what_is_no_plain_url(location: str) -> None:
    with pytest.raises(RedirectRefused):
        redirected(post(), 307, location)


@pytest.mark.parametrize(("name", "value"), [("", "a"), ("a b", "a"), ("ä", "a"), ("a:", "a"), ("a\n", "a")])
def test_a_name_that_is_none_is_told(name: str, value: str) -> None:
    assert header_problem(name, value)


@pytest.mark.parametrize("value", ["se\ncret", "se\rcret", "se\0cret", "secrät", "se\x7fcret", " secret", "secret\t"])
def test_a_value_that_cannot_be_sent_is_told_without_itself(value: str) -> None:
    problem = header_problem("x-a", value)
    assert problem is not None
    assert "x-a" in problem
    assert "cr" not in problem.replace("character", "")
    assert header_problem("x-a", "plain\tvalue ~") is None


def test_a_trace_is_carried_on_to_another_origin_too() -> None:
    traced = replace(post(), headers={"traceparent": "00-a-b-01", "authorization": "Basic xyz"})
    assert redirected(traced, 307, "https://elsewhere.example/two").headers == {"traceparent": "00-a-b-01"}
