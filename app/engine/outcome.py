"""How an attempt ended, as its driver takes it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.domain.runner import Asleep, Failed


@dataclass(slots=True, kw_only=True)
class Result:
    """A completed attempt, normalised: the output as it is stored, and as it will be read back."""

    value: Any
    text: str
    session_id: str | None = None


Ending = Result | Failed | Asleep


class OutOfBudget(BaseException):
    """Raised where an attempt remembers something once its thread is over a limit: it goes on when the thread does.

    No Exception, so that a step's own `except Exception` lets it pass.
    """
