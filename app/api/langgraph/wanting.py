"""What a run asks for beside its input: what is refused of it, and its variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from app.api.langgraph.replies import not_supported, wrong
from app.api.langgraph.telling import MODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.api.langgraph.bodies import Configured, RunAsked

_RUNNABLE: Final = frozenset(
    {"tags", "metadata", "run_name", "run_id", "max_concurrency", "recursion_limit", "configurable"}
)
"""Keys of a RunnableConfig, of which only `configurable` means something here."""
_MODES: Final = frozenset({*MODES, "events", "tools", "lifecycle"})
"""Those that LangGraph knows: of a run that nobody streams they say nothing."""
_PLACES: Final = frozenset({"thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map", "run_id"})


def refuse(wanted: RunAsked, *, stateless: bool) -> None:
    """What has no counterpart here is refused rather than left out in silence."""
    refuse_interrupts(wanted)
    if wanted.on_completion == "delete":
        raise not_supported(
            "on_completion", "a thread is kept until its retention is over: delete it with threads.delete"
        )
    if stateless and (wanted.command is not None or any(checkpoint_in(wanted))):
        raise wrong("thread_id", "a command or a checkpoint is of a thread: name it")
    given = [wanted.stream_mode] if isinstance(wanted.stream_mode, str) else wanted.stream_mode or []
    unknown = [mode for mode in given if mode not in _MODES]
    if unknown:
        raise wrong("stream_mode", f"{unknown[0][:40]!r} is no mode")
    if wanted.command is not None and wanted.input is not None:
        raise wrong("command", "give an input or a command, not both")


def refuse_interrupts(wanted: Configured) -> None:
    """Raises NotSupported."""
    for field in ("interrupt_before", "interrupt_after"):
        if getattr(wanted, field):
            raise not_supported(field, "a workflow says itself where it asks: put a `gate` step there")


def context_of(wanted: Configured) -> dict[str, Any]:
    """The variables of a run: its context, and what its config calls configurable.  Raises InvalidRequest."""
    given = configurable(wanted).items()
    own = {name: value for name, value in given if name not in _PLACES and not name.startswith("__")}
    return {**own, **(wanted.context or {})}


def checkpoint_in(wanted: RunAsked) -> tuple[Mapping[str, Any] | None, str | None]:
    """The checkpoint that a run begins at, and its id, in whichever of their three places; none: at the head."""
    given = configurable(wanted)
    if wanted.checkpoint or wanted.checkpoint_id or not given.get("checkpoint_id"):
        return wanted.checkpoint, wanted.checkpoint_id
    return {"configurable": given}, None


def configurable(wanted: Configured) -> dict[str, Any]:
    """What a config says that means something here.  Raises InvalidRequest."""
    config = wanted.config or {}
    unknown = sorted(config.keys() - _RUNNABLE)
    if unknown:
        raise wrong(f"config/{unknown[0]}", "unknown field")
    found: Any = config.get("configurable")
    if not isinstance(found, dict | None):
        raise wrong("config/configurable", "should be an object")
    return cast("dict[str, Any]", found or {})
