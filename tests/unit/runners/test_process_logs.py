"""What a function says in a process of its own, told again in the service's process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from app.domain.known_secrets import KNOWN
from app.runners.process_logs import run_logged, say

if TYPE_CHECKING:
    import pytest

SECRET = "sk-canary-0123456789"


def test_a_message_that_is_cut_off_within_a_secret_does_not_tell_of_it(caplog: pytest.LogCaptureFixture) -> None:
    KNOWN.learn(SECRET)
    _, said = run_logged(lambda given: logging.getLogger("far").error("%s%s", "x" * 7_985, given), SECRET, logging.INFO)
    caplog.clear()
    say(said)
    assert caplog.messages == ["x" * 7_985 + "***"]
