"""The net for secrets: what was learned is found in every form in which it comes back."""

from __future__ import annotations

import base64
import html
import json
import re
import tracemalloc
from urllib.parse import quote, quote_plus, urlencode

import pytest

from app.domain import jsontext
from app.domain.known_secrets import MASK, KnownSecrets, Sieve, is_guessable, without_passwords

SECRET = 's3cr3t/Wört+"quoted" & <more>\\end'
PLAIN = "sk-canary-0123456789"


def known(*secrets: str) -> KnownSecrets:
    found = KnownSecrets()
    found.learn(*secrets)
    return found


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        re.sub("%..", lambda found: found[0].lower(), quote(SECRET, safe="")),
        urlencode({"a": SECRET}),
        json.dumps({"a": SECRET}),
        json.dumps({"a": SECRET}, ensure_ascii=False),
        json.dumps({"a": SECRET}).replace("/", r"\/"),
        html.escape(SECRET),
        repr(SECRET),
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_taken_out_in_every_form(form: str) -> None:
    found = known(SECRET).text(f"before {form} after")
    assert MASK in found
    assert found.startswith("before ")
    assert found.endswith(" after")
    assert "s3cr3t" not in found


@pytest.mark.parametrize("user", ["a", "ab", "abc", "abcd"])
@pytest.mark.parametrize("tail", ["", "x", "xy", "xyz"])
def test_a_secret_inside_of_base64_is_found_wherever_it_begins(user: str, tail: str) -> None:
    text = base64.b64encode(f"{user}:{PLAIN}{tail}".encode()).decode()
    found = known(PLAIN).text(f"Basic {text}")
    assert MASK in found
    assert len(found) < len("Basic ") + len(MASK) + len(text) - len(PLAIN)


def test_json_keeps_its_form_and_loses_the_secret() -> None:
    text = jsontext.dumps({"a": [SECRET, 10**30, None], SECRET: {"b": f"Bearer {SECRET}"}, "n": 1.5})
    assert jsontext.loads(known(SECRET).json(text)) == {
        "a": [MASK, 10**30, None],
        MASK: {"b": f"Bearer {MASK}"},
        "n": 1.5,
    }


def test_json_in_json_loses_it_too() -> None:
    text = jsontext.dumps({"body": json.dumps({"token": SECRET})})
    assert jsontext.loads(known(SECRET).json(text)) == {"body": json.dumps({"token": MASK})}


def test_a_secret_that_is_a_number_is_found_as_one() -> None:
    assert known("123456789012").json('{"pin":123456789012}') == '{"pin":"***"}'


def test_a_text_without_one_is_left_as_it_is() -> None:
    text = '{"a" : 1.0,  "b":"x"}'
    assert known(PLAIN).json(text) is text


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert known(PLAIN, PLAIN + "-more").text(f"{PLAIN}-more") == MASK


@pytest.mark.parametrize("value", ["", "short", "postgres", "production", "20261121", None])
def test_what_is_guessable_is_not_looked_for(value: str | None) -> None:
    net = KnownSecrets()
    net.learn(value)
    assert not net
    assert net.text("postgres in production since 20261121, short") == "postgres in production since 20261121, short"
    assert value is None or is_guessable(value)


def test_the_first_of_too_many_is_forgotten() -> None:
    net = known(*(f"secret-number-{number}" for number in range(501)))
    assert net.text("secret-number-0;") == "secret-number-0;"
    assert net.text("secret-number-500;") == f"{MASK};"


@pytest.mark.parametrize("cut", range(1, len(PLAIN)))
def test_a_sieve_finds_it_across_pieces(cut: int) -> None:
    sieve = Sieve(known(PLAIN))
    pieces = [sieve.take(f"a {PLAIN[:cut]}"), sieve.take(f"{PLAIN[cut:]} b"), sieve.rest()]
    assert "".join(pieces) == f"a {MASK} b"
    assert "sk" not in pieces[0]


def test_a_sieve_gives_all_of_what_only_began_like_one() -> None:
    sieve = Sieve(known(PLAIN))
    assert sieve.take("ask-c") + sieve.take("ow ") + sieve.take("sk-") + sieve.rest() == "ask-cow sk-"


@pytest.mark.parametrize("cut", range(1, len(PLAIN) + 6))
def test_a_sieve_takes_out_the_longer_of_two_secrets(cut: int) -> None:
    text = f"{PLAIN}-more."
    sieve = Sieve(known(PLAIN, f"{PLAIN}-more"))
    assert sieve.take(text[:cut]) + sieve.take(text[cut:]) + sieve.rest() == f"{MASK}."


def test_a_sieve_does_not_tell_the_most_of_a_secret_when_the_text_ends_in_it() -> None:
    sieve = Sieve(known(PLAIN))
    assert sieve.take(f"key {PLAIN[:-1]}") + sieve.rest() == f"key {MASK}"


def test_a_long_secret_takes_no_more_room_than_it_has_forms() -> None:
    net, key = KnownSecrets(), "-----BEGIN KEY-----\n" + "".join(f"{number:x}/" for number in range(2_000))
    tracemalloc.start()
    net.learn(key)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 100 * len(key)
    assert net.text(f"a {key} b") == f"a {MASK} b"
    assert net.excerpt(f"a {key[:-1]}") == f"a {MASK}"


def test_the_password_of_a_url_is_taken_out_whatever_it_is() -> None:
    told = without_passwords("cannot reach postgresql://me:pg@db:5432/x or http://host/a:b@c")
    assert told == "cannot reach postgresql://me:***@db:5432/x or http://host/a:b@c"
