"""What events have to say in words, and the commands by which a person can answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from app.cli.rendering import failure, program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.client import Event

    Data = Mapping[str, Any]

_UNITS: Final = {
    "max_cost_usd": ("--max-cost-usd", "{:.4g} US dollars"),
    "max_tokens": ("--max-tokens", "{:,} tokens"),
    "deadline": ("--deadline", "{:.0f} s"),
}


def remark_of(event: Event) -> str:
    """What an event has to say: progress, the reason of a failure, a question, why it pauses."""
    special = _SPECIAL.get(event.name)
    if special is not None:
        return special(event.data)
    data = event.data
    fraction = data.get("fraction", data.get("progress")) if event.name == "step_progress" else None
    share = f"{fraction:.0%}" if isinstance(fraction, int | float) else ""
    words = " ".join(str(data.get("message") or "").split()) or failure(data.get("error"))
    caught = "(the workflow goes on)" if data.get("caught") else ""
    return " ".join(part for part in (share, _item(data), words, caught) if part)


def _item(data: Data) -> str:
    return "" if data.get("index") is None else f"item {data['index']}:"


def _paused(data: Data) -> str:
    """Why, if it is a limit that was reached."""
    option, amount = _UNITS.get(str(data.get("reason")), ("", ""))
    spent, limit = data.get("spent"), data.get("limit")
    if not option or not isinstance(spent, int | float) or not isinstance(limit, int | float):
        return ""
    return f"reached its limit: {amount.format(spent)} of {amount.format(limit)}"


def _discarded(data: Data) -> str:
    return f"{_item(data)} the text shown so far is void".strip()


def _asked(data: Data) -> str:
    return " ".join(str(data.get("title") or "waits for an answer").split())


def _answered(data: Data) -> str:
    return f"answered by {data.get('by') or data.get('via')}"


def _awaited(data: Data) -> str:
    return f"waits for {waited_for(data)}"


def _received(data: Data) -> str:
    return f"{waited_for(data)}: {'its time is over' if data.get('via') == 'timeout' else 'received'}"


def waited_for(wait: Data) -> str:
    """The message or the signal that a wait is for."""
    return f"signal {wait['signal']}" if wait.get("signal") else f"a message on {wait.get('topic')}"


_SPECIAL: Final[dict[str, Callable[[Data], str]]] = {
    "workflow_paused": _paused,
    "attempt_discarded": _discarded,
    "gate_waiting": _asked,
    "gate_answered": _answered,
    "message_waiting": _awaited,
    "message_received": _received,
}


class Hints:
    """The commands that a thread waits for, by what they answer; `url`: where its service is, if not where all look."""

    def __init__(self, thread: str, url: str | None) -> None:
        self._thread = thread
        self._where = "" if url is None else f" --url {url}"
        self._known: dict[tuple[Any, ...], str] = {}

    @property
    def lines(self) -> list[str]:
        """All of them, the oldest first."""
        return list(self._known.values())

    def take(self, event: Event) -> list[str]:
        """The new ones that an event brings; those that it settles are gone."""
        before = set(self._known)
        if event.name == "snapshot":
            self._known = {}
            for step in event.body.get("steps") or ():
                if step.get("gate"):
                    self._ask(str(step["id"]), step["gate"])
                self._wait(str(step["id"]), step.get("waits_for") or {})
        elif event.name in {"gate_waiting", "message_waiting"}:
            learn = self._ask if event.name == "gate_waiting" else self._wait
            learn(event.step_id or "", event.data)
        elif event.name == "workflow_paused" and _paused(event.data):
            option, _ = _UNITS[str(event.data["reason"])]
            self._known[()] = f"go on with: {program()} resume {self._thread} {option} ...{self._where}"
        elif event.step_id is None:
            self._known = {}
        elif event.name in {"gate_answered", "message_received", "step_complete", "step_failed", "step_skipped"}:
            self._known = {key: line for key, line in self._known.items() if key[:1] != (event.step_id,)}
        return [line for key, line in self._known.items() if key not in before]

    def _ask(self, step: str, gate: Data) -> None:
        item, number = gate.get("item"), gate.get("round")
        which = "" if item is None else f" --item {item}"
        which += f" --round {number}" if number else ""
        line = (
            f"answer it with: {program()} answer {self._thread} {step}{which} {_pieces(gate.get('form'))}{self._where}"
        )
        self._known[step, item, number] = line

    def _wait(self, step: str, wait: Data) -> None:
        """A signal can be sent by hand; a message comes from elsewhere."""
        if wait.get("signal"):
            line = f"send it with: {program()} signal {self._thread} {wait['signal']} JSON{self._where}"
            self._known[step, wait.get("item"), wait.get("round")] = line


def _pieces(form: object) -> str:
    """How an answer that fits a form is given: its required fields, else all of them, else JSON."""
    known = cast("dict[str, Any]", form) if isinstance(form, dict) else {}
    names = known.get("required") or list(known.get("properties") or ())
    return " ".join(f"--set {name}=..." for name in names) or "--answer JSON"
