"""JSON without loss."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import jsontext
from app.domain.errors import JsonError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_every_json_value_comes_back_as_it_was(value: object) -> None:
    assert jsontext.loads(jsontext.dumps(value)) == value


def test_key_order_and_nul_survive() -> None:
    assert jsontext.dumps({"b": "\x00", "a": 2**70}) == '{"b":"\\u0000","a":1180591620717411303424}'


def deep(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [float("nan"), [1, float("inf")], "\ud800", {1: 2}, b"x", object(), {"a": {1, 2}}, [2**70, float("inf")],
     {"a": 2**70, 1: 2}, [2**70, deep(300)]],
)  # fmt: skip
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(JsonError):
        jsontext.dumps(value)


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[Infinity]", "1e999", "[1234567890123456, NaN]", "1" * 5000, b"\xff", '"\\ud800"', "[" * 100_000,
     "[" * 201 + "]" * 201, "\ud800", "01", '[1234567890123456,"\\ud800"]'],
)  # fmt: skip
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(JsonError):
        jsontext.loads(text)


def test_a_long_number_is_read_whole() -> None:
    assert jsontext.loads("[123456789012345678901234567890]") == [123456789012345678901234567890]


def test_two_hundred_levels_are_read_and_written() -> None:
    text = jsontext.dumps(deep(200))
    assert jsontext.dumps(jsontext.loads(text)) == text
    big = "[" * 200 + str(2**70) + "]" * 200
    assert jsontext.dumps(jsontext.loads(big)) == big


def test_the_digest_is_of_the_text() -> None:
    assert jsontext.sha256("{}").hex().startswith("44136fa355b3678a")


@pytest.mark.parametrize(
    "value",
    [["x" * 10] * 50, {"k" * 10: 1, "a": ["y" * 600]}, [0] * 10_000, {str(n): n for n in range(9_000)}, [10**900]],
)
def test_the_weight_of_a_value_tells_whether_it_is_big(value: Any) -> None:
    assert jsontext.weight(value, 500) > 500
    assert jsontext.weight(value, 500) < 1_500


def test_a_small_value_weighs_little() -> None:
    assert jsontext.weight({"a": [1, None, "text"], "b": {}}, 10**6) < 500
