"""The end of a thread that went well: its output, its END version, its last event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.domain import events, jsontext, retry
from app.domain.errors import JsonError
from app.domain.known_secrets import KNOWN
from app.domain.records import ErrorInfo
from app.domain.state import END
from app.domain.status import Status
from app.domain.template import ExpressionError
from app.engine.draft import context_for_people

if TYPE_CHECKING:
    from app.domain.state import ManifestWriter, State
    from app.engine.course import Course
    from app.engine.draft import Draft


def complete(course: Course, state: State, writer: ManifestWriter, draft: Draft) -> ErrorInfo | None:
    """Draw up the completion; the error instead when the workflow's `output` cannot be made."""
    try:
        output = KNOWN.json(jsontext.dumps(course.output()))
    except (ExpressionError, JsonError) as error:
        return ErrorInfo(kind=retry.EXPRESSION, message=jsontext.clean(f"output: {error}"))
    draft.checkpoint(state, writer, END, trigger="end", progress=1.0)
    draft.execution(
        Status.COMPLETED, output=output, output_sha256=jsontext.sha256(output), context=context_for_people(state)
    )
    draft.event(events.WORKFLOW_COMPLETE, {"status": "completed", "progress": 1.0}, result=output)
    draft.let_go()
    draft.transition.clear_signal = True
    return None
