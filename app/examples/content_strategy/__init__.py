"""The workflow `content-strategy`: real text analysis over real documents, offline.

`DOCUMENT` is the workflow document; `agents()` are the functions that its steps name."""

# ruff: noqa: PLC0415 - libraries load with the step that needs them, not with the service

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parent / "content-strategy.yaml"


def agents() -> list[Callable[..., Any]]:
    """The nine agents of the workflow, each marked with its name and place to run by `registration.agent`."""
    from app.examples.content_strategy.collect import collect
    from app.examples.content_strategy.critic import criticise
    from app.examples.content_strategy.duplicates import find_duplicates
    from app.examples.content_strategy.keyphrases import keyphrases
    from app.examples.content_strategy.links import check_links
    from app.examples.content_strategy.readability import readability
    from app.examples.content_strategy.report import write_report
    from app.examples.content_strategy.strategy import plan_content
    from app.examples.content_strategy.structure import analyse

    return [
        collect,
        analyse,
        readability,
        keyphrases,
        check_links,
        find_duplicates,
        plan_content,
        criticise,
        write_report,
    ]
