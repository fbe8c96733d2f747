"""Every error that Backstitch raises on purpose, in one tree.

BackstitchError(code)
├── InvalidRequest            the request can never succeed as it stands
│   ├── InvalidWorkflow       problems with JSON pointers
│   ├── InvalidInput          problems with JSON pointers
│   ├── InvalidAgent          problems with JSON pointers
│   ├── InvalidTrigger        problems with JSON pointers
│   ├── InvalidSchedule       problems with JSON pointers
│   └── NotSupported          a documented field that is not built yet
├── Unauthorized              a token that is none of ours, or whose time is over
├── Forbidden                 a token for something else
├── NotFound                  thread, workflow, execution, version
├── Corrupt                   what is stored is not what was written: findings
├── Conflict                  thread_running, version_conflict, workflow_mismatch, idempotency...
│   └── UnknownFormat         what is stored was written by a later release
├── Unavailable               the journal cannot take the write now; try again later
│   └── QueueFull             as many threads wait in the queue as may
├── StartupError              the service cannot start, in one line
├── Fenced                    another driver owns the thread: stop at once, write nothing
└── JsonError                 a value that JSON cannot carry losslessly
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.integrity import Finding

_TOLD: Final = 20
"""Findings that an error tells of one by one."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a document: `pointer` is an RFC 6901 JSON pointer into it, "" for the whole.

    `line` and `column` are where that is in its text, from 1, as far as it is known.
    """

    pointer: str
    message: str
    line: int | None = field(default=None, compare=False)
    column: int | None = field(default=None, compare=False)


class BackstitchError(Exception):
    """Base of all; `code` is stable and part of the contract."""

    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if code is not None:
            self.code = code


class InvalidRequest(BackstitchError):
    """The request is understood and wrong; repeating it cannot help."""

    code = "invalid_request"


class _WithProblems(InvalidRequest):
    whole = "(document)"

    def __init__(self, problems: list[Problem], message: str | None = None) -> None:
        first = problems[0] if problems else Problem("", "invalid")
        super().__init__(message or f"{first.pointer or self.whole}: {first.message}")
        self.problems = problems


class InvalidWorkflow(_WithProblems):
    """The workflow document does not hold; `problems` says where."""

    code = "invalid_workflow"


class InvalidInput(_WithProblems):
    """The input does not match the workflow's input schema."""

    code = "invalid_input"
    whole = "(input)"


class InvalidAgent(_WithProblems):
    """The agent does not hold; `problems` says where."""

    code = "invalid_agent"
    whole = "(agent)"


class InvalidTrigger(_WithProblems):
    """The trigger does not hold; `problems` says where."""

    code = "invalid_trigger"
    whole = "(trigger)"


class InvalidSchedule(_WithProblems):
    """The schedule does not hold; `problems` says where."""

    code = "invalid_schedule"
    whole = "(schedule)"


class NotSupported(InvalidRequest):
    """A documented field that this version does not carry out."""

    code = "not_supported"


class Unauthorized(BackstitchError):
    """Who asks has shown nothing that holds: `token_invalid`, `token_expired`."""

    code = "unauthorized"


class Forbidden(BackstitchError):
    """What was shown is not for this: `token_mismatch`."""

    code = "forbidden"


class NotFound(BackstitchError):
    """`code` tells what: thread_not_found, workflow_not_found, execution_not_found, version_not_found."""

    code = "not_found"


class Conflict(BackstitchError):
    """The request does not fit the thread's present state."""

    code = "conflict"


class Corrupt(BackstitchError):
    """A stored value or manifest of a thread is damaged or gone; `findings` says which, docs/corruption.md what to do."""

    code = "state_corrupt"

    def __init__(self, thread_id: str, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        first = self.findings[0].sentence() if self.findings else "damaged"
        others = f", and {len(self.findings) - 1} more" if len(self.findings) > 1 else ""
        super().__init__(
            f"thread {thread_id}: {first}{others}",
            findings=[finding.value() for finding in self.findings[:_TOLD]],
            repair=f"GET /api/invoke/verify/{thread_id} tells all, POST /api/invoke/repair/{thread_id} repairs",
        )


class UnknownFormat(Conflict):
    """A later release has written it: nothing is wrong with it, but this one cannot read it."""

    code = "format_unknown"


class Unavailable(BackstitchError):
    """The service cannot do it now; `retry_after` in seconds."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueFull(Unavailable):
    """As many threads wait in the queue as may: nothing was started; `retry_after` in seconds."""

    code = "queue_full"


class StartupError(BackstitchError):
    """The service cannot start; the message is one line that says what to do."""

    code = "startup_failed"


class Fenced(BackstitchError):
    """The thread's epoch or revision has moved on: whoever gets this no longer drives it."""

    code = "fenced"


class JsonError(BackstitchError):
    """A value that JSON cannot carry losslessly: NaN, infinity, a lone surrogate, too deep, not JSON at all."""

    code = "invalid_json"
