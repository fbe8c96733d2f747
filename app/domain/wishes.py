"""Wishes: what somebody left on a thread's row (`signal`) for whoever drives it, since only its driver can do it well.

A wish outlives its driver: whoever takes the thread up next sees it too.
"""

from __future__ import annotations

from typing import Final

from app.domain import jsontext

PAUSE: Final = "pause"
_LOOK: Final = "look:"
_CANCEL: Final = "cancel:"
_LONGEST: Final = 1_000


def cancel(reason: str | None) -> str:
    """The wish that the thread be cancelled."""
    return _CANCEL + jsontext.clean((reason or "")[:_LONGEST]).replace("\0", "\ufffd")  # a column of text holds no NUL


def look(token: str) -> str:
    """The wish that the driver look at the gates that its steps wait for; each of these has a token of its own.

    Whoever takes the thread up looks at all of them anyway.
    """
    return _LOOK + token


def is_look(signal: str | None) -> bool:
    """Whether it asks to look at gates."""
    return signal is not None and signal.startswith(_LOOK)


def is_cancel(signal: str | None) -> bool:
    """Whether it asks to cancel."""
    return signal is not None and signal.startswith(_CANCEL)


def reason(signal: str) -> str | None:
    """The reason in a wish to cancel, if one was given."""
    return signal.removeprefix(_CANCEL) or None
