"""Topics: where messages go, as words with dots between; patterns say which of them somebody wants.

`*` in a pattern stands for one word and `>` at its end for one or more, as with NATS, so that a broker can take them over.
Events of threads are on `workflow.{event}.{workflow's name}`; nobody else publishes there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from app.domain.events import KEPT

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST: Final = 255
"""Characters of a topic or pattern."""
OWN: Final = "workflow"
"""The first word of the topics that tell of threads."""
_WORD: Final = r"[A-Za-z0-9_~:@+=-]+"
_TOPIC: Final = re.compile(rf"{_WORD}(\.{_WORD})*")
_PATTERN: Final = re.compile(rf"((\*|{_WORD})(\.(\*|{_WORD}))*(\.>)?|>)")


def topic_of(event: str, workflow: str) -> str:
    """Where an event of a thread is told of."""
    return f"{OWN}.{event}.{workflow}"


def is_own(topic: str) -> bool:
    """Whether a topic or pattern begins with the word that nobody publishes to from outside."""
    return topic == OWN or topic.startswith(f"{OWN}.")


def check_topic(topic: str) -> None:
    """Raises ValueError, with a message for its author, for what is no topic."""
    _check(topic, _TOPIC, "words of letters, digits and _ ~ : @ + = - with dots between")


def check_pattern(pattern: str) -> None:
    """Raises ValueError, with a message for its author, for what is no pattern of topics."""
    _check(pattern, _PATTERN, "words with dots between, `*` for any one word, `>` at the end for one or more")
    if is_own(pattern):
        _check_own(pattern.split(".")[1:])


def _check_own(words: list[str]) -> None:
    """What begins with `workflow` and can stand for no event would be waited for in vain."""
    event = words[0] if words else ""
    if event and event not in {"*", ">"} and event not in KEPT:
        raise ValueError(f"there is no event {event!r}; known: {', '.join(sorted(KEPT))}")
    if len(words) < 2 and event != ">":  # noqa: PLR2004 - the event and the workflow
        raise ValueError(
            f"events of threads are on {OWN}.EVENT.WORKFLOW: write {OWN}.{event or '*'}.> for those of all"
        )


def _check(text: str, form: re.Pattern[str], said: str) -> None:
    if len(text) > LONGEST:
        raise ValueError(f"more than {LONGEST} characters")
    if form.fullmatch(text) is None:
        raise ValueError(f"not {said}")


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic is one of those that a pattern stands for."""
    return ("*" not in pattern and ">" not in pattern and pattern == topic) or _compiled(pattern).fullmatch(
        topic
    ) is not None


@lru_cache(4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(expression(pattern))


def stem_of(pattern: str) -> str:
    """The words before the first that may be several."""
    words = pattern.split(".")
    return ".".join(takewhile(lambda word: word not in {"*", ">"}, words))


def by_stem(topics: Iterable[str]) -> dict[str, list[str]]:
    """The stems that patterns of these topics can have, each with those of the topics that begin so."""
    found: dict[str, list[str]] = {"": []}
    for topic in dict.fromkeys(topics):
        found[""].append(topic)
        words = topic.split(".")
        for end in range(1, len(words)):
            found.setdefault(".".join(words[:end]), []).append(topic)
    return found


def meant(patterns: Iterable[str], topics: Iterable[str]) -> dict[str, list[str]]:
    """Which of the topics each pattern stands for; patterns that stand for none are left out."""
    stems = by_stem(topics)
    found = {each: [one for one in stems.get(stem_of(each), ()) if matches(each, one)] for each in patterns}
    return {pattern: its for pattern, its in found.items() if its}


def expression(pattern: str) -> str:
    """A regular expression, for Python and PostgreSQL alike, that a whole topic of the pattern fits."""
    words = [{"*": r"[^.]+", ">": r".+"}.get(word) or re.escape(word) for word in pattern.split(".")]
    return r"\.".join(words)


def wants_events(patterns: Iterable[str]) -> frozenset[str] | None:
    """The names of the events of threads that these patterns can mean: empty for none, None for any."""
    names: set[str] = set()
    for pattern in patterns:
        first, *rest = pattern.split(".")
        if first not in {"*", ">", OWN} or (first != ">" and not rest):
            continue
        if first == ">" or rest[0] in {"*", ">"}:
            return None
        names.add(rest[0])
    return frozenset(names)
