"""Logs are one JSON object a line when nobody watches, and words on a terminal."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from app.telemetry import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def _failure(secret: str) -> ValueError:
    try:
        raise ValueError("torn") if secret else KeyError
    except ValueError as error:
        return error


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_record_is_one_json_object_on_one_line() -> None:
    stream = io.StringIO()
    logs.configure("info", stream)
    logging.getLogger("app.engine").info("thread %s\nmoved", "t1", extra={"thread_id": "t1"})
    told = json.loads(stream.getvalue())
    assert told["event"] == "thread t1\nmoved"
    assert (told["level"], told["logger"], told["thread_id"]) == ("info", "app.engine", "t1")


def test_an_exception_is_part_of_its_record() -> None:
    stream = io.StringIO()
    logs.configure("info", stream)
    logging.getLogger("app").error("a run broke", exc_info=_failure("hush"))
    assert json.loads(stream.getvalue())["exception"][0]["exc_value"] == "torn"
    assert "hush" not in stream.getvalue()


def test_a_terminal_gets_words() -> None:
    stream = Terminal()
    logs.configure("info", stream)
    logging.getLogger("app").warning("careful")
    assert "careful" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_less_than_the_level_is_not_told_and_libraries_only_warn() -> None:
    stream = io.StringIO()
    logs.configure("info", stream)
    logging.getLogger("app").debug("detail")
    logging.getLogger("httpx").info("a request")
    assert stream.getvalue() == ""
