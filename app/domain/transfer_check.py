"""Whether a file is a whole thread: line after line against the header, against each other and against their digests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from app.domain import document, integrity
from app.domain.errors import InvalidRequest, InvalidWorkflow, NotSupported
from app.domain.notes import Notes
from app.domain.records import WITH_INPUT, CheckpointRecord, ExecutionRecord, NoteRecord, StepRecord
from app.domain.state import FORMAT as STATE_FORMAT
from app.domain.status import StepStatus
from app.domain.transfer import END, FORMAT, HEADER, ROWS, SINCE, Row, bad, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.domain.integrity import Finding

_ORDER: Final = {what: place for place, what in enumerate(ROWS)}
_HEADER: Final = {"format", "backstitch", "thread_id", "exported_at", "counts", "children"}


@dataclass(slots=True)
class Whole:
    """What is known of a file once all of it has been seen; `progress` is that of its head."""

    header: Row = field(default_factory=dict[str, Any])
    thread: Row = field(default_factory=dict[str, Any])
    definitions: list[Row] = field(default_factory=list[Row])
    executions: list[str] = field(default_factory=list[str])
    runs: list[str] = field(default_factory=list[str])
    progress: float = 0.0


class FileCheck:
    """Fed with the lines of a file in their order; raises InvalidRequest (invalid_export, export_too_new, export_damaged)."""

    def __init__(self) -> None:
        self.whole = Whole()
        self._sha = hashlib.sha256()
        self._number = 0
        self._counts = dict.fromkeys(ROWS, 0)
        self._at = 0
        self._ended = False
        self._last = {"event": 0, "checkpoint": 0}
        self._seen: set[tuple[Any, ...]] = set()
        self._notes: dict[tuple[Any, ...], Notes] = {}
        self._findings: dict[str, tuple[int, Finding]] = {}
        self._checks: dict[str, Callable[[Row], None]] = {
            "definition": self._definition,
            "thread": self._thread,
            "execution": self._execution,
            "step": self._step,
            "item": self._item,
            "note": self._note,
            "checkpoint": self._checkpoint,
            "event": self._event,
            "gate": self._gate,
            "wait": self._wait,
            "signal": self._signal,
            "quarantine": self._quarantine,
        }

    def feed(self, lines: Iterable[bytes]) -> None:
        """The next lines, each with its end."""
        for line in lines:
            self._number += 1
            if self._ended:
                raise self._bad("there is something after the end")
            if not line.endswith(b"\n"):
                raise self._bad("the file is cut off here")
            what, row = row_of(line[:-1], self._number)
            if (what == HEADER) != (self._number == 1):
                raise self._bad("the header comes first, and once")
            if what == END:
                self._end(row)
                continue
            self._sha.update(line)
            if what == HEADER:
                self._header(row)
            else:
                self._row(what, row)

    def done(self) -> Whole:
        """What the file holds, once it is over."""
        if not self._ended:
            raise bad(self._number + 1, "the file is cut off: its end is missing")
        for number, finding in self._findings.values():
            raise InvalidRequest(f"line {number}: {finding.sentence()}", code="export_damaged")
        return self.whole

    def _bad(self, message: str, name: str | None = None) -> InvalidRequest:
        return bad(self._number, message, name)

    def _header(self, row: Row) -> None:
        number: Any = row.get("format")
        if isinstance(number, int) and number > FORMAT:
            told = f"the file is of format {number}, written by Backstitch {row.get('backstitch')}; here {FORMAT} is the newest"
            raise InvalidRequest(told, code="export_too_new")
        if type(number) is not int or number < 1 or row.keys() != _HEADER or not isinstance(row["counts"], dict):
            raise self._bad("no header of an export")
        if row["counts"].keys() != {what for what in ROWS if SINCE.get(what, 1) <= number}:
            raise self._bad("does not count all kinds of rows", "counts")
        self.whole.header = row

    def _row(self, what: str, row: Row) -> None:
        if _ORDER[what] < self._at:
            raise self._bad(f"a row of {what} out of its place")
        self._at = _ORDER[what]
        self._counts[what] += 1
        check = self._checks.get(what)
        if check is not None:
            check(row)

    def _end(self, row: Row) -> None:
        self._ended = True
        if row.keys() != {"lines", "sha256"}:
            raise self._bad("no end of an export")
        if row["lines"] != self._number - 1 or row["sha256"] != self._sha.hexdigest():
            told = "the file is not as it was written: its SHA-256 does not hold"
            raise InvalidRequest(f"line {self._number}: {told}", code="export_damaged")
        counts = self.whole.header["counts"]
        wrong = next((what for what in ROWS if counts.get(what, 0) != self._counts[what]), None)
        if wrong is not None:
            raise self._bad(
                f"the header counts {counts.get(wrong, 0)} rows of {wrong}, and there are {self._counts[wrong]}"
            )
        self._whole()

    def _whole(self) -> None:
        """What must be there for a thread to be one."""
        thread = self.whole.thread
        if not thread or thread["thread_id"] != self.whole.header["thread_id"]:
            raise self._bad("the file has no row of its thread")
        if thread["execution_id"] not in self.whole.executions:
            raise self._bad("the thread's execution is missing")
        if thread["definition_id"] not in {one["id"] for one in self.whole.definitions}:
            raise self._bad("the thread's workflow is missing")
        if thread["last_version"] < self._last["checkpoint"] or thread["head_version"] not in range(
            1, thread["last_version"] + 1
        ):
            raise self._bad("the thread's versions do not hold together")
        if thread["last_seq"] < self._last["event"]:
            raise self._bad("the thread's events do not hold together")

    def _once(self, *key: Any) -> None:
        if key in self._seen:
            raise self._bad(f"a second {key[0]} of that key")
        self._seen.add(key)

    def _found(self, findings: Iterable[Finding]) -> None:
        self._findings |= {finding.id: (self._number, finding) for finding in findings}

    def _sound(self, row: Row, name: str, digest: str) -> None:
        if row[name] is not None and not integrity.is_text(row[name], row[digest]):
            told = f"line {self._number}, {name}: {integrity.DIGEST}"
            raise InvalidRequest(told, code="export_damaged")

    def _definition(self, row: Row) -> None:
        self._once("definition", row["id"])
        try:
            spec = document.parse(row["document"], stored=True)
        except (InvalidWorkflow, NotSupported) as error:
            raise self._bad(f"no workflow: {error}", "document") from None
        if spec.hash != row["hash"] or spec.name != row["name"]:
            raise self._bad("the document is not the one of that hash and name", "hash")
        self.whole.definitions.append(row)

    def _thread(self, row: Row) -> None:
        self._once("thread")
        self.whole.thread = row

    def _execution(self, row: Row) -> None:
        self._once("execution", row["id"])
        self.whole.executions.append(row["id"])
        record = ExecutionRecord(thread_id="", **row)
        if record.kind in WITH_INPUT or record.input_sha256 is not None:
            self._found(integrity.check_input(record, record.id))
        if row["output_sha256"] is not None:
            self._sound(row, "output", "output_sha256")

    def _step(self, row: Row) -> None:
        self._once("step", row["id"])
        self.whole.runs.append(row["id"])
        known: Row = {name: value for name, value in row.items() if name not in _USAGE}
        record = StepRecord(thread_id="", **known)
        completed = record.status is StepStatus.COMPLETED
        self._found(integrity.check_output(record, record.id, record.step_id, completed=completed))

    def _item(self, row: Row) -> None:
        self._once("item", row["key_execution_id"], row["step_id"], row["item"])
        self._sound(row, "output", "output_sha256")

    def _note(self, row: Row) -> None:
        key = (row["key_execution_id"], row["step_id"], row["item"])
        known = self._notes.setdefault(key, Notes())
        if row["place"] != len(known.values):
            raise self._bad("a note out of its place", "place")
        made = known.add(key, row["name"], row["value"], row["created_at"])
        known.values[row["name"]] = None  # how many there are, and not what, is needed
        if made != NoteRecord(**row):
            raise InvalidRequest(f"line {self._number}, value: {integrity.DIGEST}", code="export_damaged")

    def _checkpoint(self, row: Row) -> None:
        if row["format"] > STATE_FORMAT:
            told = f"line {self._number}: a state of format {row['format']}; here {STATE_FORMAT} is the newest"
            raise InvalidRequest(told, code="export_too_new")
        self._rising("checkpoint", row["version"])
        self._found(integrity.check_checkpoint(CheckpointRecord(thread_id="", **row)))
        if row["version"] == self.whole.thread.get("head_version"):
            self.whole.progress = row["progress"]

    def _event(self, row: Row) -> None:
        self._rising("event", row["seq"])

    def _rising(self, what: str, number: int) -> None:
        if number <= self._last[what]:
            raise self._bad(f"a row of {what} out of its order")
        self._last[what] = number

    def _gate(self, row: Row) -> None:
        self._once("gate", row["key_execution_id"], row["step_id"], row["item"], row["round"])
        self._sound(row, "answer", "answer_sha256")

    def _wait(self, row: Row) -> None:
        self._once("wait", row["key_execution_id"], row["step_id"], row["item"], row["round"])
        if row["message_sha256"] is not None:
            self._once("message", row["message_sha256"])
        self._sound(row, "answer", "answer_sha256")

    def _signal(self, row: Row) -> None:
        self._once("signal", row["place"])
        self._sound(row, "value", "value_sha256")

    def _quarantine(self, row: Row) -> None:
        """What had been put aside before is known to be damaged."""
        self._once("quarantine", row["id"])
        self._findings.pop(row["id"], None)


_USAGE: Final = {"input_tokens", "output_tokens", "cost_usd"}
