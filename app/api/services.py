"""What the routes need of the wired service, and how they get at it: `bootstrap.Services` satisfies this protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import Literal

    from starlette.requests import HTTPConnection

    from app.api.feed import Feed
    from app.api.services_agents import AgentDesk, Breakers, QueueDesk, Workforce
    from app.api.sse import Streams
    from app.domain.commands import Accepted, Check, ForkCommand, Forked, ResumeCommand, RollbackCommand, StartCommand
    from app.domain.config import ConfigChange, ShownSetting
    from app.domain.event_log import EventLog
    from app.domain.gates import Answer, GateFilter, GateRecord
    from app.domain.logs import LogFilter, LogPage
    from app.domain.message_book import MessageFilter, MessagePage
    from app.domain.messages import Message
    from app.domain.metrics import MetricsStore
    from app.domain.moving import MoveCommand, Moves
    from app.domain.ports import Reads
    from app.domain.records import ThreadRecord, WorkflowRecord
    from app.domain.registry import Registry
    from app.domain.sdk_threads import SdkThreads
    from app.domain.spec import WorkflowSpec
    from app.domain.state import Refs, State
    from app.domain.thread_list import ThreadList
    from app.domain.timeline import Timelines
    from app.domain.tools import ServerReport
    from app.domain.transition import Transition
    from app.domain.upkeep import Upkeep
    from app.domain.waits import MessageWait, Sent, SignalFilter, SignalRecord, WaitFilter
    from app.domain.waits import Signal as SignalToSend
    from app.engine.ahead import Ahead
    from app.engine.bus import Bus
    from app.engine.inspection import Report
    from app.engine.retention import Retention
    from app.engine.tickets import Tickets
    from app.engine.travel import Travel
    from app.telemetry.figures import Figure
    from app.triggers.desk import TriggerDesk
    from app.triggers.schedule_desk import Schedules
    from app.triggers.webhook_desk import WebhookDesk


class Foresight(Protocol):
    """What steering would do; it raises what that would raise, and changes nothing."""

    async def rollback(self, command: RollbackCommand, /) -> Ahead: ...
    async def resume(self, command: ResumeCommand, /) -> Ahead: ...


class Control(Protocol):
    """The engine's control; every method raises the errors of domain.errors."""

    @property
    def ahead(self) -> Foresight: ...
    async def start(self, command: StartCommand, /) -> Accepted: ...
    async def fork(self, command: ForkCommand, /) -> Forked: ...
    async def resume(self, command: ResumeCommand, /, *, check: Check | None = None) -> Accepted: ...
    async def rollback(self, command: RollbackCommand, /) -> Accepted: ...
    async def cancel(
        self, thread_id: str, reason: str | None = None, *, force: bool = False, check: Check | None = None
    ) -> ThreadRecord: ...
    async def pause(self, thread_id: str) -> ThreadRecord: ...
    async def checkpoint(self, thread_id: str) -> int: ...
    async def wait(self, thread_id: str, timeout: float, /) -> bool: ...  # noqa: ASYNC109 - seconds; True: it ended
    async def register(self, document: Mapping[str, Any] | str, /) -> tuple[WorkflowRecord, bool]: ...
    async def validate(self, document: Mapping[str, Any] | str, /) -> WorkflowSpec: ...
    async def spec(self, definition_id: str) -> WorkflowSpec: ...
    async def head_refs(self, thread: ThreadRecord, /) -> Refs: ...
    async def load_refs(self, thread_id: str, version: int) -> Refs: ...
    async def load_state(self, thread_id: str, version: int) -> State: ...


class Gates(Protocol):
    """The questions that steps ask."""

    async def listed(self, where: GateFilter, /) -> list[GateRecord]: ...
    async def find(
        self,
        thread_id: str,
        step_id: str,
        *,
        item: int | None = None,
        round: int | None = None,  # noqa: A002
    ) -> GateRecord: ...
    async def answer(
        self,
        thread_id: str,
        step_id: str,
        answer: Answer,
        *,
        item: int | None = None,
        round: int | None = None,  # noqa: A002
    ) -> ThreadRecord: ...


class Waits(Protocol):
    """What steps wait for, and signals."""

    async def listed(self, where: WaitFilter, /) -> list[MessageWait]: ...
    async def send(self, thread_id: str, signal: SignalToSend, /) -> Sent: ...
    async def signals(self, where: SignalFilter, /) -> list[SignalRecord]: ...


class Limits(Protocol):
    """What the HTTP side is bounded by."""

    @property
    def max_body_bytes(self) -> int:
        """The largest request body."""
        ...

    @property
    def max_import_bytes(self) -> int:
        """The largest file of a thread."""
        ...

    @property
    def heartbeat_seconds(self) -> float:
        """Seconds between two comments on a stream."""
        ...


class Signal(Protocol):
    """An asyncio.Event, or what behaves like one."""

    def set(self) -> None: ...
    def is_set(self) -> bool: ...
    async def wait(self) -> Literal[True]: ...


class Inspector(Protocol):
    """Verifies and repairs what is stored."""

    async def verify(self, thread_id: str) -> Report: ...
    async def repair(self, thread_id: str) -> tuple[ThreadRecord, Transition | None]: ...


class Mover(Protocol):
    """Moves threads to another version of their workflow."""

    async def move(self, command: MoveCommand, /) -> Moves: ...


class Mcp(Protocol):
    """The configured MCP servers."""

    def reports(self) -> Sequence[ServerReport]: ...


class Metrics(Protocol):
    """What the service tells of itself in numbers."""

    async def scrape(self, accept: str, more: Iterable[Figure] = ()) -> tuple[bytes, str]: ...
    def estimate(self, workflow: str) -> int | None: ...
    async def series(self) -> MetricsStore: ...


class LogDesk(Protocol):
    """The log entries that are kept; `dropped` are those of this process that are not."""

    @property
    def dropped(self) -> int: ...
    async def listed(self, where: LogFilter) -> LogPage: ...


class Config(Protocol):
    """The settings."""

    def shown(self) -> list[ShownSetting]: ...
    def hint(self) -> None: ...
    async def change(self, values: Mapping[str, Any], by: str | None) -> list[ConfigChange]: ...
    async def drop(self, name: str, by: str | None) -> list[ConfigChange]: ...
    async def changes(self, before: tuple[datetime, str] | None, limit: int) -> list[ConfigChange]: ...


class MessageDesk(Protocol):
    """Publishes messages, and looks at the log."""

    async def publish(self, messages: Sequence[Message]) -> list[bool]: ...
    async def listed(self, where: MessageFilter) -> MessagePage: ...
    async def find(self, message_id: str, *, source: str | None = None, topic: str | None = None) -> list[Message]: ...


class Services(Protocol):
    """The wired service."""

    @property
    def control(self) -> Control: ...
    @property
    def reads(self) -> Reads: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def bus(self) -> Bus: ...
    @property
    def queues(self) -> QueueDesk: ...
    @property
    def breakers(self) -> Breakers: ...
    @property
    def agents(self) -> AgentDesk: ...
    @property
    def inspector(self) -> Inspector: ...
    @property
    def mover(self) -> Mover: ...
    @property
    def upkeep(self) -> Upkeep: ...
    @property
    def mcp(self) -> Mcp: ...
    @property
    def gates(self) -> Gates: ...
    @property
    def waits(self) -> Waits: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def events(self) -> EventLog: ...
    @property
    def timelines(self) -> Timelines: ...
    @property
    def threads(self) -> ThreadList: ...
    @property
    def logs(self) -> LogDesk: ...
    @property
    def retention(self) -> Retention: ...
    @property
    def config(self) -> Config: ...
    @property
    def travel(self) -> Travel: ...
    @property
    def messages(self) -> MessageDesk: ...
    @property
    def triggers(self) -> TriggerDesk: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def tickets(self) -> Tickets: ...
    @property
    def sdk_threads(self) -> SdkThreads: ...
    @property
    def webhooks(self) -> WebhookDesk: ...
    @property
    def workforce(self) -> Workforce: ...
    @property
    def durable(self) -> bool: ...
    @property
    def traced(self) -> bool:
        """Whether executions are traced, and a start's own trace is carried on."""
        ...

    @property
    def fallback(self) -> str | None:
        """Why the memory journal stands in for the database, if it does."""
        ...

    @property
    def limits(self) -> Limits: ...
    @property
    def shutting_down(self) -> Signal: ...

    async def health(self) -> Mapping[str, Mapping[str, Any]]:
        """Every part by name, each with a `status` of ready, degraded or unavailable, and a `detail` if it has one."""
        ...


class AppState(TypedDict):
    """What a request finds in its scope's `state`, made when the app starts."""

    services: Services
    streams: Streams
    feed: Feed


def state_of(connection: HTTPConnection) -> AppState:
    """The app's state, from any request."""
    return connection.scope["state"]


def services_of(connection: HTTPConnection) -> Services:
    """The wired service, from any request."""
    return connection.scope["state"]["services"]
