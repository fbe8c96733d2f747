"""Logs are one JSON object a line when nobody watches, and words on a terminal."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from app.domain.known_secrets import KNOWN
from app.domain.logs import Place
from app.telemetry import logs
from app.telemetry.places import PLACE


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, levels = list(root.handlers), {name: logging.getLogger(name).level for name in (None, *logs._NOISY)}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


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


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_no_secret_is_told(stream: io.StringIO) -> None:
    secret = 'sk-canary"0123456789'
    KNOWN.learn(secret)
    logs.configure("info", stream)
    failure = _failure("hush")
    failure.args = (f"with {secret}",)
    logging.getLogger("app").error("key %s", secret, extra={"header": [secret]}, exc_info=failure)
    logging.getLogger("app").warning("cannot reach postgresql://me:short@db/x")
    assert "canary" not in stream.getvalue()
    assert "me:***@db" in stream.getvalue()
    if not stream.isatty():
        assert json.loads(stream.getvalue().splitlines()[0])["event"] == "key ***"


def test_what_cannot_be_told_tells_no_secret_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    logs.configure("info", stream)
    logging.getLogger("app").info(*("of %s and %s", "sk-canary-0123456789"))
    logging.getLogger("app").info("odd", extra={"by": {(1, 2): "sk-canary-0123456789"}})
    assert json.loads(stream.getvalue())["event"] == "of %s and %s"
    assert capsys.readouterr().err == "a log entry of 'app' cannot be told: TypeError\n"


def test_a_record_tells_where_it_comes_from() -> None:
    stream = io.StringIO()
    logs.configure("info", stream)
    token = PLACE.set(Place(thread_id="t", execution_id="e", workflow="w", step_id="s", item=0, attempt=2, agent="a"))
    logging.getLogger("library").warning("here")
    PLACE.reset(token)
    logging.getLogger("library").warning("there")
    here, there = map(json.loads, stream.getvalue().splitlines())
    place = {
        "thread_id": "t",
        "execution_id": "e",
        "workflow": "w",
        "step_id": "s",
        "index": 0,
        "attempt": 2,
        "agent": "a",
    }
    assert {name: here[name] for name in place} == place
    assert not place.keys() & there.keys()
    assert "place" not in here


def test_the_level_of_stdout_changes_while_others_hear_what_they_did() -> None:
    stream, other = io.StringIO(), logging.NullHandler(logging.INFO)
    logs.configure("debug", stream)
    logging.getLogger().addHandler(other)
    logs.set_level("error")
    logging.getLogger("app.engine").warning("no")
    logging.getLogger("app.engine").error("yes")
    assert logging.getLogger().level == logging.INFO
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["yes"]
