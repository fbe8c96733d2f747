"""A thread under other ids: executions and step runs are renamed wherever they stand, consistently."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from app.domain import integrity, jsontext
from app.domain.errors import JsonError
from app.domain.ids import uuid7
from app.domain.integrity import Finding
from app.domain.parameters import parse
from app.domain.records import CheckpointRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from app.domain.transfer import Row

_BY_REFERENCE: Final = re.compile(r'"run:([0-9a-f-]{36})"')


@dataclass(slots=True)
class Names:
    """New ids by old ones; what is not here keeps its id."""

    executions: dict[str, str] = field(default_factory=dict[str, str])
    runs: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def new(cls, executions: Iterable[str], runs: Iterable[str]) -> Names:
        """Other ids for all of them, in the same order."""
        return cls({one: uuid7() for one in sorted(executions)}, {one: uuid7() for one in sorted(runs)})

    def apply(self, what: str, row: Row) -> Row:
        """The row under the new ids; its digests hold for its new text."""
        if not self.executions:
            return row
        renamed = row | {name: self.executions.get(row[name], row[name]) for name in _EXECUTIONS & row.keys()}
        renamed |= {name: self.runs.get(row[name], row[name]) for name in _RUNS & row.keys() if what not in _OWN_RUN_ID}
        special = _SPECIAL.get(what)
        return special(self, row, renamed) if special is not None else renamed

    def execution(self, row: Row, renamed: Row) -> Row:
        """Its own id, what it was asked for, and the references in what people see of its variables."""
        context = row["context"]
        return renamed | {
            "id": self.executions[row["id"]],
            "parameters": self._parameters(row["parameters"]),
            "context": None if context is None else _BY_REFERENCE.sub(self._reference, context),
        }

    def step(self, row: Row, renamed: Row) -> Row:
        """Its own id."""
        return renamed | {"id": self.runs[row["id"]]}

    def checkpoint(self, row: Row, renamed: Row) -> Row:
        """What its manifest refers to; one that is damaged stays as it is."""
        if integrity.check_checkpoint(CheckpointRecord(thread_id="", **row)):
            return renamed
        manifest: dict[str, Any] = jsontext.loads(row["manifest"])
        if "of" in manifest:
            version, parent, base, execution, *rest = manifest["of"]
            manifest["of"] = [version, parent, base, self.executions.get(execution, execution), *rest]
        if "input" in manifest:
            manifest["input"] = self.executions.get(manifest["input"], manifest["input"])
        for entry in manifest.get("steps", {}).values():
            if entry is not None:
                entry[0] = self.runs.get(entry[0], entry[0])
        for entry in manifest.get("context", {}).values():
            if entry is not None and entry[0] == "run":
                entry[1] = self.runs.get(entry[1], entry[1])
        text = jsontext.dumps(manifest)
        return renamed | {"manifest": text, "sha256": jsontext.sha256(text)}

    def quarantine(self, row: Row, renamed: Row) -> Row:
        """The id of a finding is made of what it says."""
        said = {name: renamed[name] for name in ("kind", "version", "run_id", "execution_id", "step_id", "problem")}
        finding = Finding(**said, expected=row["expected"], stored=row["stored"])
        return renamed | {"id": finding.id}

    def graph(self, row: Row, renamed: Row) -> Row:
        """A graph's runs are called by the execution in a step run's key."""
        execution, _, rest = row["run_key"].partition(":")
        return renamed | {"run_key": f"{self.executions.get(execution, execution)}:{rest}"}

    def _parameters(self, text: str | None) -> str | None:
        try:
            asked = parse(text)
        except (KeyError, ValueError, JsonError):
            return text
        keys = {step: self.executions.get(key, key) for step, key in asked.keys.items()}
        undo = tuple((step, self.runs.get(run, run)) for step, run in asked.undo)
        first = asked.trace.first
        trace = replace(asked.trace, first=None if first is None else self.executions.get(first, first))
        return replace(asked, keys=keys, undo=undo, trace=trace).text()

    def _reference(self, found: re.Match[str]) -> str:
        return f'"run:{self.runs.get(found[1], found[1])}"'


_EXECUTIONS: Final = {"execution_id", "key_execution_id"}
_RUNS: Final = {"run_id"}
_OWN_RUN_ID: Final = {"graph_checkpoint"}
"""Kinds of rows whose `run_id` is another library's."""
_SPECIAL: Final[Mapping[str, Callable[[Names, Row, Row], Row]]] = {
    "execution": Names.execution,
    "step": Names.step,
    "checkpoint": Names.checkpoint,
    "quarantine": Names.quarantine,
    "graph_run": Names.graph,
    "graph_checkpoint": Names.graph,
    "graph_value": Names.graph,
    "graph_write": Names.graph,
}
