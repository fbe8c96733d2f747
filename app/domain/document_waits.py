"""The waits of a document: what their condition looks at is taken when the step begins, and kept with the wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import topics
from app.domain.errors import InvalidWorkflow, Problem
from app.domain.expression import picker
from app.domain.template import Condition, Template
from app.domain.waits import check_signal

if TYPE_CHECKING:
    from collections.abc import Mapping

MESSAGE: Final = "message"
"""What a condition calls the message."""
GIVEN: Final = "given"
"""Under which name a rendered wait has what its condition looks at."""


def without_match(wait: Any) -> Any:
    """The parts of a wait that may hold templates."""
    if not isinstance(wait, dict):
        return wait
    return {name: value for name, value in cast("dict[str, Any]", wait).items() if name != "match"}


def read(wait: Any, template: Template, pointer: str, problems: list[Problem]) -> Template:
    """The target of a step that waits, where `template` is that of all but its condition.

    Rendered it is what was written, and `given`.  What is wrong with the condition, the topic or the name is added to
    `problems`.
    """
    parts = cast("dict[str, Any]", wait) if isinstance(wait, dict) else {}
    _check_names(parts, template, pointer, problems)
    text = parts.get("match")
    if not isinstance(text, str):
        return template
    try:
        condition = Condition.compile(text, f"{pointer}/match")
    except InvalidWorkflow as error:
        problems += error.problems
        return template
    own = frozenset(path for path in condition.paths if path[0] != MESSAGE)
    pick = picker(own)

    def render(scope: Mapping[str, Any]) -> Any:
        return {**template.render(scope), "match": text, GIVEN: pick(scope)}

    places = {**dict.fromkeys((path[0] for path in own), f"{pointer}/match"), **template.places}
    return Template(wait, render, template.paths | own, places)


def _check_names(parts: Mapping[str, Any], template: Template, pointer: str, problems: list[Problem]) -> None:
    """A topic or a name without templates is checked at once."""
    checks = {"topic": topics.check_pattern, "signal": check_signal}
    for name, check in checks.items():
        text = parts.get(name)
        if not isinstance(text, str) or not text or _holds_templates(text, template):
            continue
        try:
            check(text)
        except ValueError as error:
            problems.append(Problem(f"{pointer}/{name}", str(error)))


def _holds_templates(text: str, template: Template) -> bool:
    return not template.is_static and ("{" in text or "}" in text)
