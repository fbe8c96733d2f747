"""What Claude Code says while it works, and what that comes to: text and tools, the usage, the session, the outcome."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from app.domain import jsontext, retry
from app.domain.records import ErrorInfo
from app.domain.runner import NO_USAGE, Completed, Failed, Usage
from app.runners.secret_values import Masks, Veil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.domain.runner import StepContext
    from app.runners.claude_code_config import Plan

KIND: Final = "claude_code"
_LOST: Final = "No conversation found"
_TOLD: Final = 1_000
_SHOWN: Final = 100
"""Characters of a tool's input that are shown."""
_TELLING: Final = ("description", "file_path", "path", "pattern", "command", "query", "url", "prompt")
_REFUSED: Final = frozenset({401, 403})
_TOO_MANY: Final = 429
_CLIENT_ERRORS: Final = range(400, 500)
_PASSING: Final = frozenset({408, 409})


class NotLoggedIn(Exception):
    """The provider takes no request: no further try of the same run helps."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended, as the CLI says; `usage` is the whole session's."""

    subtype: str
    is_error: bool
    text: str
    structured: Any = None
    turns: int = 0
    status: int | None = None
    reason: str | None = None
    usage: Usage | None = None
    denied: tuple[str, ...] = ()


class Reading:
    """Takes the messages of one run in, in order."""

    def __init__(self, context: StepContext, plan: Plan, masks: Masks) -> None:
        self._context = context
        self._plan = plan
        self._masks = masks
        self._veil = Veil(masks, context.chunk)
        self._fault: str | None = None
        self._resets_at: float | None = None
        self._seen = NO_USAGE
        self.session_id: str | None = None
        self.result: Result | None = None

    @property
    def session_is_lost(self) -> bool:
        """Whether there was no such session to go on with."""
        return self.result is not None and self.result.is_error and _LOST in self.result.text

    def take(self, message: Any) -> None:
        """One message of the SDK, told apart by its class.  Raises NotLoggedIn."""
        match type(message).__name__:
            case "SystemMessage":
                self._system(message.subtype, message.data)
            case "StreamEvent":
                self._event(message.event, own=message.parent_tool_use_id is None)
            case "AssistantMessage":
                self._fault = message.error or self._fault
                self._tools(message.content)
            case "RateLimitEvent":
                if message.rate_limit_info.status == "rejected":
                    self._resets_at = message.rate_limit_info.resets_at
            case "ResultMessage":
                self.result = _result(message)
            case _:
                pass

    def take_error(self, error: Any) -> None:
        """What the SDK raises after a failed result, or instead of it."""
        if self.result is None:
            text = "; ".join([*error.errors, *([error.result] if error.result else [])])
            self.result = Result(
                error.subtype or "", True, text, status=error.api_error_status, reason=error.terminal_reason
            )

    def spent(self, before: Usage) -> tuple[Usage, Usage | None]:
        """What this run has cost, and the session so far when it is known; `before` is what was counted of it already.

        A run that was cut off has told its tokens but not their price.
        """
        whole = self.result.usage if self.result is not None else None
        if whole is None:
            return self._seen, None
        if whole.cost_usd < before.cost_usd or whole.input_tokens < before.input_tokens:  # it began to count anew
            before = NO_USAGE
        spent = Usage(
            input_tokens=whole.input_tokens - before.input_tokens,
            output_tokens=max(0, whole.output_tokens - before.output_tokens),
            cost_usd=whole.cost_usd - before.cost_usd,
        )
        return spent, whole

    def outcome(self) -> Completed | Failed:
        """What came of a run that ended with a result."""
        self._veil.end()
        result = self.result
        if result is None:
            return self.failure("process", "Claude Code ended without a result", retryable=True)
        if result.is_error:
            return self._failed(result)
        if self._plan.structured:
            if result.structured is None:
                return self.failure(retry.INVALID_OUTPUT, "there was no structured output", retryable=True)
            return Completed(output=self._masks.value(result.structured), session_id=self.session_id)
        output = {
            "result": self._masks.text(result.text),
            "session_id": self.session_id,
            "turns": result.turns,
            "denied": list(result.denied),
        }
        return Completed(output=output, session_id=self.session_id)

    def failure(self, kind: str, message: str, *, retryable: bool, retry_after: float | None = None) -> Failed:
        """A failure of a kind of its own (`claude_code.process`), or of one that all have."""
        known = kind in {retry.INVALID_OUTPUT, retry.NETWORK, retry.CONFIGURATION}
        text = jsontext.clean(self._masks.text(message))[:_TOLD]
        error = ErrorInfo(kind=kind if known else f"{KIND}.{kind}", message=text, retryable=retryable)
        return Failed(error=error, retry_after=retry_after)

    def not_logged_in(self, said: str) -> Failed:
        """No key, or one that is refused: final, and it names the variable."""
        variable = self._plan.key_variable
        mend = f"see the key in {variable}" if variable else "log the service's user in (`claude login`)"
        return self.failure("auth", f"Claude Code is not logged in: {mend}: {said}", retryable=False)

    def _failed(self, result: Result) -> Failed:
        kind, retryable = _fault(result, self._fault)
        if kind == "auth":
            return self.not_logged_in(result.text)
        pause = None
        if kind == "rate_limit" and self._resets_at is not None:
            pause = max(0.0, self._resets_at - time.time())
        return self.failure(kind, result.text or result.subtype, retryable=retryable, retry_after=pause)

    def _system(self, subtype: str, data: Mapping[str, Any]) -> None:
        if subtype == "init" and self.session_id is None:
            self.session_id = str(data["session_id"])
            self._context.keep_session(self.session_id)
        elif subtype == "api_retry":
            if data.get("error") == "authentication_failed":
                raise NotLoggedIn(f"the provider answered {data.get('error_status')}")
            self._tell(f"the provider answered {data.get('error_status') or data.get('error')}: trying again")

    def _event(self, event: Mapping[str, Any], *, own: bool) -> None:
        kind = event.get("type")
        if kind == "message_start":
            self._seen += Usage(input_tokens=_input(event.get("message", {}).get("usage") or {}))
        elif kind == "message_delta":
            usage: Mapping[str, Any] = event.get("usage") or {}
            self._seen += Usage(output_tokens=int(usage.get("output_tokens") or 0))
        elif kind == "content_block_delta" and own:
            delta: Mapping[str, Any] = event.get("delta") or {}
            if delta.get("type") == "text_delta":
                self._veil(jsontext.clean(str(delta.get("text", ""))))

    def _tools(self, content: Iterable[Any]) -> None:
        for block in content:
            if type(block).__name__ == "ToolUseBlock":
                given: Mapping[str, Any] = block.input
                found = next((str(given[name]) for name in _TELLING if given.get(name)), "")
                self._tell(f"{block.name}: {found}" if found else str(block.name))

    def _tell(self, text: str) -> None:
        line = " ".join(jsontext.clean(self._masks.text(text)).split())
        self._context.progress(None, line if len(line) <= _SHOWN else f"{line[:_SHOWN]}...")


def _fault(result: Result, said: str | None) -> tuple[str, bool]:
    """The kind of a failed result, and whether it may get better; `said` is the error of the last message."""
    status, unanswered = result.status or 0, result.reason == "api_error"
    rules = (
        (result.subtype == "error_max_turns", "max_turns", False),
        (result.subtype == "error_max_budget_usd", "max_budget", False),
        (result.subtype == "error_max_structured_output_retries", retry.INVALID_OUTPUT, True),
        (said == "authentication_failed" or status in _REFUSED, "auth", False),
        (said == "billing_error", "billing", False),
        (said == "rate_limit" or status == _TOO_MANY, "rate_limit", True),
        (status in _CLIENT_ERRORS and status not in _PASSING, "request", False),
        (unanswered and result.status is None, retry.NETWORK, True),
        (unanswered, "api", True),
    )
    return next(((kind, retryable) for holds, kind, retryable in rules if holds), ("failed", True))


def _result(message: Any) -> Result:
    text = message.result if message.result is not None else "; ".join(message.errors or ())
    denials = cast("list[dict[str, Any]]", message.permission_denials or [])
    return Result(
        subtype=message.subtype,
        is_error=message.is_error,
        text=jsontext.clean(text),
        structured=message.structured_output,
        turns=message.num_turns,
        status=message.api_error_status,
        reason=message.terminal_reason,
        usage=_whole(message),
        denied=tuple(str(denial.get("tool_name")) for denial in denials),
    )


def _whole(message: Any) -> Usage:
    """The session's usage: of all models, what was read from and written to the provider's cache counted as input."""
    models = cast("dict[str, dict[str, Any]]", message.model_usage or {})
    names = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    return Usage(
        input_tokens=sum(int(model.get(name) or 0) for model in models.values() for name in names),
        output_tokens=sum(int(model.get("outputTokens") or 0) for model in models.values()),
        cost_usd=float(message.total_cost_usd or 0.0),
    )


def _input(usage: Mapping[str, Any]) -> int:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return sum(int(usage.get(name) or 0) for name in names)
