"""The text of running steps for one reader of the LangGraph SDK: each piece once, over cuts and over steps that run anew."""

from __future__ import annotations

import pytest

from app.api.langgraph.texts import Piece, Texts

TALK = ("talk", -1)


def new(found: Piece | None) -> str:
    return "" if found is None else found.text


def heard(*pieces: str) -> Texts:
    """Whoever has heard these pieces of the first attempt."""
    texts = Texts("run")
    for piece in pieces:
        texts.hear(TALK, 1, piece)
    return texts


def again(texts: Texts) -> Texts:
    """The same reader on another connection, with what its last id says."""
    return Texts("run", texts.marks())


def test_pieces_are_new_as_they_come_and_belong_to_one_message() -> None:
    texts = Texts("run")
    found = [texts.hear(TALK, 1, piece) for piece in ("a", "b")]
    assert [(one.text, one.whole) for one in found if one] == [("a", "a"), ("b", "ab")]
    assert len({one.message_id for one in found if one}) == 1


def test_whoever_comes_again_hears_the_rest_of_the_same_text() -> None:
    texts = again(heard("one ", "two "))
    assert new(texts.hear(TALK, 1, "one two thr")) == "thr"
    assert new(texts.hear(TALK, 1, "ee")) == "ee"


def test_a_subscription_that_begins_again_says_nothing_twice() -> None:
    texts = heard("one ")
    texts.begin_again()
    assert new(texts.hear(TALK, 1, "one two")) == "two"


def test_a_text_that_is_said_anew_is_held_until_it_is_known_to_be_the_same() -> None:
    texts = again(heard("one ", "two "))
    assert [new(texts.hear(TALK, 1, piece)) for piece in ("one", " two", " ", "three")] == ["", "", "", "three"]


def test_another_text_is_another_message_from_its_beginning() -> None:
    first = heard("one two ")
    before = first.hear(TALK, 1, "x")
    texts = again(first)
    found = texts.hear(TALK, 1, "something else altogether")
    assert before is not None
    assert found is not None
    assert (found.text, found.message_id != before.message_id) == ("something else altogether", True)


def test_another_attempt_is_another_message() -> None:
    texts = heard("one")
    found = texts.hear(TALK, 2, "uno")
    assert found is not None
    assert (found.text, found.whole) == ("uno", "uno")


def test_items_of_a_step_are_texts_of_their_own() -> None:
    texts = Texts("run")
    assert [new(texts.hear(("each", item), 1, "a")) for item in (0, 1)] == ["a", "a"]
    assert [one.whole for one in texts.end("each", 1, None)] == ["a", "a"]
    assert texts.marks() == ""


@pytest.mark.parametrize(
    ("pieces", "rest"), [((), "one two"), (("one ",), "two"), (("one ", "two"), "")], ids=["none", "some", "all"]
)
@pytest.mark.parametrize("cut", [False, True], ids=["heard on", "came again"])
def test_at_its_end_a_step_tells_what_is_left_of_its_text(pieces: tuple[str, ...], rest: str, *, cut: bool) -> None:
    texts = again(heard(*pieces)) if cut else heard(*pieces)
    [found] = texts.end("talk", 1, "one two")
    assert (found.text, found.whole) == (rest, "one two")


def test_a_step_that_gave_less_than_it_said_tells_nothing_more() -> None:
    [found] = heard("thinking aloud. ", "the answer").end("talk", 1, "the answer")
    assert (found.text, found.whole) == ("", "thinking aloud. the answer")


@pytest.mark.parametrize("marks", ["", "x", "W10", "WzFd", "e30", "W1sidGFsayIsMV1d", "not/base64!"])
def test_marks_that_are_not_ours_say_nothing(marks: str) -> None:
    texts = Texts("run", marks)
    assert new(texts.hear(TALK, 1, "one")) == "one"
