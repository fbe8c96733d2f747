"""Triggers at work: messages start workflows, each message once for each trigger, whatever is killed in between.

A start is idempotent, what came of it is written after it, and the place in the log moves after that.  So what is cut off is
done again, and what was done already is found to be.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

from app.domain import topics
from app.domain.errors import InvalidTrigger, Unavailable
from app.domain.messages import Consumer
from app.domain.triggers import Compiled, Firing, Outcome, firing_id
from app.engine.values import BIG_JSON, off_loop
from app.triggers.starting import Wanted, begun, failed, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from app.domain.messages import Message
    from app.domain.triggers import Trigger, TriggerStore
    from app.triggers.starting import Begin

AT_ONCE: Final = 200
"""Starts that are under way at once: the journal writes them together."""
_PAIRS: Final = 1_000
"""Messages with triggers, one by one, about that are acted on together: as many triggers as there are may want each."""
_BREATH: Final = 0.01
"""Seconds of judging after which the event loop gets a turn."""
_SLOW: Final = 0.05
"""Seconds of judging, without a turn, after which it gets as long a time."""
_log: Final = logging.getLogger(__name__)


class Triggers(Consumer):
    """One for each log that is followed; `counts` are the outcomes by trigger's name."""

    def __init__(self, store: TriggerStore, begin: Begin, counts: Counter[tuple[str, str]]) -> None:
        self._store = store
        self._begin = begin
        self.counts = counts
        self._revs: dict[str, int] = {}
        self._compiled: dict[str, Compiled] = {}
        self._exact: dict[str, list[Compiled]] = {}
        self._others: list[Compiled] = []
        self._breathed = monotonic()
        self.beat: Callable[[], None] = _nothing
        """Called now and then while messages are acted on."""

    async def wants(self) -> Collection[str]:
        """See Consumer: asked anew each time, so that a trigger holds for what is published after it was made."""
        present, changed = await self._store.load(self._revs)
        if changed or present != self._revs.keys():
            self._learn(present, changed)
        return {one.trigger.topic for one in self._compiled.values()}

    async def take(self, messages: Sequence[Message]) -> None:
        """See Consumer."""
        pairs: list[tuple[Compiled, Message]] = []
        self._breathed = monotonic()
        for message in messages:
            pairs += [(compiled, message) for compiled in self._wanting(message)]
            await self._breathe()
            if len(pairs) >= _PAIRS:
                await self._act(pairs)
                pairs = []
        if pairs:
            await self._act(pairs)

    async def _act(self, pairs: Sequence[tuple[Compiled, Message]]) -> None:
        self.beat()
        acted = await self._store.acted([firing_id(compiled.trigger.id, message) for compiled, message in pairs])
        judged = await self._judged(pairs, acted)
        made = [one for one in judged if isinstance(one, Firing)]
        made += await self._start([one for one in judged if isinstance(one, tuple)])
        if made:
            await self._store.record(made)
        names = {compiled.trigger.id: compiled.trigger.name for compiled, _ in pairs}
        self.counts.update((names[one.trigger_id], one.outcome.value) for one in made)

    def _learn(self, present: set[str], changed: Sequence[Trigger]) -> None:
        for trigger in changed:
            self._revs[trigger.id] = trigger.rev
            self.counts[trigger.name, Outcome.FAILED.value] += 0  # so that the first failure is a step for an alert
            self._compiled.pop(trigger.id, None)
            try:
                self._compiled[trigger.id] = Compiled(trigger)
            except InvalidTrigger as error:  # another release may have let it in
                _log.error("trigger %s cannot be used: %s", trigger.name, error)
        for gone in self._revs.keys() - present:
            del self._revs[gone]
            self._compiled.pop(gone, None)
        exact: dict[str, list[Compiled]] = defaultdict(list)
        self._others = []
        for one in self._compiled.values():
            topic = one.trigger.topic
            (self._others if "*" in topic or ">" in topic else exact[topic]).append(one)
        self._exact = dict(exact)

    def _wanting(self, message: Message) -> Iterator[Compiled]:
        """Those on whose topic it is, and that were there before it."""
        assert message.place is not None
        for one in self._exact.get(message.topic, ()):
            if one.trigger.since < message.place.xact:
                yield one
        for one in self._others:
            if one.trigger.since < message.place.xact and topics.matches(one.trigger.topic, message.topic):
                yield one

    async def _judged(
        self, pairs: Sequence[tuple[Compiled, Message]], acted: Collection[str]
    ) -> list[tuple[Compiled, Message, Wanted] | Firing]:
        told = {message.thread_id for _, message in pairs if message.thread_id is not None}
        chains = await self._store.chains(told) if told else {}
        found: list[tuple[Compiled, Message, Wanted] | Firing] = []
        scopes: dict[tuple[str, str], dict[str, object]] = {}
        self._breathed = monotonic()
        for compiled, message in pairs:
            if firing_id(compiled.trigger.id, message) in acted:
                continue
            await self._breathe()
            name = (message.source, message.id)
            if name not in scopes:
                scopes.clear()  # those of one message stand together
                scopes[name] = {"message": await off_loop(message.scope, len(message.data_json), BIG_JSON)}
            one = await _judged(compiled, message, scopes[name], chains.get(message.thread_id or "", ()))
            if one is not None:
                found.append(one if isinstance(one, Firing) else (compiled, message, one))
        return found

    async def _breathe(self) -> None:
        """Let others have their turn, if it is time for that."""
        took = monotonic() - self._breathed
        if took > _BREATH:
            await asyncio.sleep(took if took > _SLOW else 0)
            self._breathed = monotonic()

    async def _start(self, wanted: Sequence[tuple[Compiled, Message, Wanted]]) -> list[Firing]:
        """What came of all of them.  Those with the same deduplication key go one after the other."""
        lines: dict[tuple[str, str], list[tuple[Compiled, Message, Wanted]]] = {}
        for place, item in enumerate(wanted):
            key = item[2].key
            lines.setdefault((item[0].trigger.id, f"={key}") if key is not None else ("", str(place)), []).append(item)
        rest, made = iter(lines.values()), list[Firing]()

        async def work() -> None:
            for line in rest:
                made.extend(await self._line(line))

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(AT_ONCE, len(lines))):
                    tasks.create_task(work())
        except* Unavailable as away:
            raise Unavailable(str(away.exceptions[0])) from away
        if len(made) < len(wanted):  # a task that is cancelled from within does not make itself heard
            raise Unavailable("starts were cut off")
        return made

    async def _line(self, line: Sequence[tuple[Compiled, Message, Wanted]]) -> list[Firing]:
        """What came of those with one key, in their order, or of one without a key."""
        made: list[Firing] = []
        own = {wanted.firing.id for _, _, wanted in line}
        until: datetime | None = None
        for compiled, message, wanted in line:
            window, at = compiled.trigger.window, message.arrived
            if wanted.key is not None and window is not None:
                if until is not None and at < until:
                    made.append(_duplicate(wanted))
                    continue
                if made:  # what is claimed now hides who held the key before, if this is done again
                    await self._store.record(made)
                end = at + timedelta(seconds=window)
                claim = await self._store.claim(compiled.trigger.id, wanted.key, wanted.firing.id, at, end)
                # One of these that holds the key was let hold it before, by whoever was cut off: its turn comes.
                until = claim.until if claim.mine or claim.firing_id not in own else None
                if not claim.mine:
                    made.append(_duplicate(wanted))
                    continue
            firing = await self._begin(wanted)
            if firing.outcome is Outcome.FAILED and wanted.key is not None:
                await self._store.forgo([firing.id])
                until = None
            made.append(firing)
        return made


async def _judged(
    compiled: Compiled, message: Message, scope: Mapping[str, object], chain: tuple[str, ...]
) -> Wanted | Firing | None:
    """See judge.  What nobody expects of one of them is told, and holds up no other."""
    try:
        return await off_loop(lambda: judge(compiled, message, scope, chain), len(message.data_json), BIG_JSON)
    except Exception as error:  # noqa: BLE001 - what the libraries may raise is not known
        _log.exception("trigger %s could not judge message %s", compiled.trigger.name, message.id)
        told = f"{type(error).__name__}; the service's log tells more"
        return failed(begun(compiled.trigger, message), "internal_error", told)


def _nothing() -> None:
    """Nobody wants to know."""


def _duplicate(wanted: Wanted) -> Firing:
    told = f"another message with the key {wanted.key!r} came before it"
    return replace(failed(wanted.firing, "duplicate", told), outcome=Outcome.DUPLICATE)
