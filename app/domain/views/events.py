"""Events for who shows many threads: without results, and without the long values of what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext
from app.domain.views.common import short_error

if TYPE_CHECKING:
    from app.domain.events import Event

WHOLE: Final = 1_024
"""Characters of data that are told as they are."""
_LONGEST: Final = 256
"""Characters of one of its values, where all are more than that."""


def compact_json(event: Event, workflow: str) -> str:
    """The event as JSON on one line, with its workflow's name; `left_out` are the names of values that are not told."""
    data, left_out = (event.data, "") if len(event.data) <= WHOLE else _shortened(event.data)
    known = (
        event if event.result is None and data is event.data else replace(event, data=data, result=None, _frame=None)
    )
    return f'{known.json()[:-1]},"workflow":{jsontext.dumps(workflow)}{left_out}}}'


def _shortened(text: str) -> tuple[str, str]:
    data: dict[str, Any] = jsontext.loads(text)
    if isinstance(data.get("error"), dict):
        data["error"] = short_error(cast("dict[str, Any]", data["error"]))
    long = [name for name, value in data.items() if name != "error" and len(jsontext.dumps(value)) > _LONGEST]
    kept = {name: value for name, value in data.items() if name not in long}
    return jsontext.dumps(kept), f',"left_out":{jsontext.dumps(long)}' if long else ""
