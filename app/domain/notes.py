"""What an attempt remembers: a chain of named values, each with a digest that covers all before it.

So a note that is damaged or missing takes those after it with it, which were made with its knowledge, also when only the
first of them have been written anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

from app.domain import jsontext
from app.domain.errors import JsonError
from app.domain.records import NoteRecord

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from app.domain.records import NoteRecord as Note


@dataclass(slots=True)
class Notes:
    """The notes of one idempotency key; `values` by name, in the order of remembering."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    _last: bytes = b""

    @classmethod
    def read(cls, records: Iterable[Note]) -> Notes:
        """The sound ones among stored notes, given by their places: up to the first that is not."""
        notes = cls()
        for place, record in zip(count(), records, strict=False):
            if record.place != place or record.sha256 != notes._digest(record.name, record.value):
                break
            try:
                notes.values[record.name] = jsontext.loads(record.value)
            except JsonError:
                break
            notes._last = record.sha256
        return notes

    def add(self, key: tuple[str, str, int], name: str, text: str, at: datetime) -> Note:
        """The record of one more; `key` is the execution in the key, the step and the item."""
        self._last, place = self._digest(name, text), len(self.values)
        self.values[name] = jsontext.loads(text)
        execution_id, step_id, item = key
        return NoteRecord(
            key_execution_id=execution_id,
            step_id=step_id,
            item=item,
            place=place,
            name=name,
            value=text,
            sha256=self._last,
            created_at=at,
        )

    def _digest(self, name: str, text: str) -> bytes:
        return sha256(b"\0".join((self._last, name.encode(), text.encode()))).digest()
