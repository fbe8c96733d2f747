"""What a thread is about: one line from the beginning of its input."""

from __future__ import annotations

import pytest

from app.domain.views.title import LONGEST, title_of


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ('{"seed":7,"topic":"AI in Education"}', "AI in Education"),
        ('{"url":"https://x.example","title":"A page"}', "A page"),
        ('{"paths":["docs","src"]}', "docs"),
        ('{"input":{"question":"why?"}}', "why?"),
        ('{"messages":[{"role":"user","content":"Hi there"}]}', "Hi there"),
        ('{"n":3,"colour":"red"}', "red"),
        ('{"ok":true,"n":3.5}', "3.5"),
        ('{"orders":[{"orderId":4711}]}', "4711"),
        ('"hello"', "hello"),
        ("[[],{},[null],5]", None),
        ('[null,"b"]', "b"),
        ("42", "42"),
        ("true", None),
        ("null", None),
        ("{}", None),
        ('""', None),
        ("", None),
        (None, None),
        ("no json", None),
        ('{"topic":"","name":"  "}', None),
        ('{"out_dir":"/srv/reports","audience":"developers"}', "developers"),
        ('{"out_dir":"/srv/reports","pace_ms":300}', None),
        ('{"from":"/data/in.csv","region":"north"}', "north"),
        ('{"terms":"net 30"}', "net 30"),
        ('{"from":"/data/in.csv"}', "/data/in.csv"),
        ('{"path":"/data/in.csv","customer":"ACME"}', "ACME"),
    ],
)
def test_the_most_telling_value_stands_for_all(head: str | None, title: str | None) -> None:
    assert title_of(head) == title


def test_it_is_one_line_and_short() -> None:
    assert title_of('"a\\n\\tb\\u2028c\\u202ed\\u0000e"') == "a b c d e"
    long = title_of('"' + "x" * 500 + '"')
    assert long == "x" * (LONGEST - 1) + "…"


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ('{"topic":"AI in Edu', "AI in Edu"),
        ('{"paths":["docs","sr', "docs"),
        ('{"topic":"AI","rest":[1,2,{"a":', "AI"),
        ('{"top', None),
        ('{"topic":"broken \\u00', "broken"),
    ],
)
def test_of_a_long_input_the_beginning_is_enough(head: str, title: str | None) -> None:
    assert title_of(head) == title


@pytest.mark.parametrize(
    "head",
    [
        '{"api_key":"sk-123"}',
        '{"password":"hunter2"}',
        '{"auth":{"accessToken":"abc"}}',
        '{"url":"https://me:secret@x.example/"}',
        '["postgres://me:secret@x.example/db"]',
    ],
)
def test_a_secret_is_never_shown(head: str) -> None:
    assert title_of(head) is None


def test_what_is_nested_deeply_tells_nothing() -> None:
    assert title_of("[" * 100 + '"x"' + "]" * 100) is None
    assert title_of('{"a":' * 1_000) is None
