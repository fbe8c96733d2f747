"""The agent kind `claude-code`: a session of Claude Code, run by the Claude Agent SDK and the program that it brings along.

Its text streams as it comes, its session is kept and resumed by the next attempt, and its process, with all that it has
started, ends with the attempt; what an attempt has left behind when the service was killed ends before the next one begins.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import tempfile
from collections import deque
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app.domain import jsontext, retry
from app.domain.errors import JsonError
from app.domain.expression import ExpressionError
from app.domain.records import ErrorInfo
from app.domain.runner import NO_USAGE, Completed, Failed, Usage
from app.runners import claude_code_config as configured
from app.runners.claude_code_reading import NotLoggedIn, Reading
from app.runners.processes import end_processes
from app.runners.secret_values import Masks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from app.domain.agents import Agent
    from app.domain.runner import Attempt, Outcome, StepContext
    from app.runners.claude_code_config import House, Plan

_LIBRARY: Final = "claude_agent_sdk"
_SPENT: Final = "spent"
"""What the usage of a session is remembered as, with a number: the CLI counts a whole session, the step each attempt."""
_LAST_LINES: Final = 5


class ClaudeCodeKind:
    """Performs for all agents of the kind, at most `processes` at a time in this process."""

    def __init__(self, house: House, *, processes: int) -> None:
        self._house = house
        self._slots = asyncio.Semaphore(processes)

    def config_schema(self) -> Mapping[str, Any]:
        """See docs/claude-code.md."""
        return configured.SCHEMA

    def check(self, agent: Agent) -> list[str]:
        """Whether the library is there, and the key, the folder and the servers that the config names."""
        missing = [] if importlib.util.find_spec(_LIBRARY) is not None else [configured.MISSING]
        return missing + list(configured.problems(agent, self._house))

    async def perform(self, agent: Agent, attempt: Attempt) -> Outcome:
        """Run the session to its end, or go on with the one that an earlier attempt has begun."""
        masks = Masks()
        try:
            plan = configured.plan(agent, attempt, self._house, masks)
            sdk = await asyncio.to_thread(importlib.import_module, _LIBRARY)
        except ImportError:
            return _final(retry.CONFIGURATION, configured.MISSING)
        except ExpressionError as error:
            return _final(retry.EXPRESSION, str(error))
        except LookupError as error:
            return _final(retry.CONFIGURATION, str(error.args[0]))
        except (JsonError, ValueError) as error:
            return _final(retry.VALIDATION, str(error))
        async with self._slots, self._prepared(plan) as options:
            run = _Run(sdk, plan, options, attempt.context, masks)
            outcome = await run.outcome(attempt.context.session_id)
            return outcome or await run.outcome(None) or _final(retry.CONFIGURATION, "a new session is lost at once")

    @asynccontextmanager
    async def _prepared(self, plan: Plan) -> AsyncGenerator[dict[str, Any]]:
        """The options for the SDK, with the folders made and the servers' config, which may hold secrets, in a file."""
        with tempfile.TemporaryDirectory(prefix="backstitch-claude-") as folder:
            options = {**plan.options, "cwd": str(plan.cwd)}
            await asyncio.to_thread(self._make, plan)
            if plan.mcp:
                file = Path(folder) / "mcp.json"
                file.write_text(jsontext.dumps({"mcpServers": plan.mcp}), encoding="utf-8")
                options["mcp_servers"] = str(file)
            yield options

    def _make(self, plan: Plan) -> None:
        for folder in (self._house.folder, self._house.folder / "config", self._house.folder / "work"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if plan.cwd.parent == self._house.folder / "work":
            plan.cwd.mkdir(mode=0o700, exist_ok=True)


class _Run:
    """One run of the CLI, or two where the first finds that its session is gone."""

    def __init__(self, sdk: Any, plan: Plan, options: dict[str, Any], context: StepContext, masks: Masks) -> None:
        self._sdk = sdk
        self._plan = plan
        self._options = options
        self._context = context
        self._masks = masks
        self._complaints: deque[str] = deque(maxlen=_LAST_LINES)

    async def outcome(self, session: str | None) -> Completed | Failed | None:
        """What came of it; None: there is no such session any more."""
        reading = Reading(self._context, self._plan, self._masks)
        await self._end_processes()  # what an earlier life of this step has left running
        async with asyncio.TaskGroup() as tasks:
            talk = tasks.create_task(self._talk(reading, session))
            try:
                await asyncio.wait([talk])
            except asyncio.CancelledError:
                self._context.spend(reading.spent(NO_USAGE)[0])
                raise
            finally:
                # Before the SDK is let go: it would wait for the CLI to end by itself.  In a thread, which goes on
                # whatever happens to this task.
                await asyncio.shield(self._end_processes())
        if session is not None and reading.session_is_lost:
            return None
        await self._count(reading)
        return talk.result() or reading.outcome()

    async def _talk(self, reading: Reading, session: str | None) -> Failed | None:
        """Take all messages in; a failure when they do not end with a result."""
        options = self._sdk.ClaudeAgentOptions(**self._options, resume=session, stderr=self._complaints.append)
        prompt = self._plan.prompt if session is None else self._plan.resume_prompt
        try:
            async with aclosing(self._sdk.query(prompt=prompt, options=options)) as messages:
                await self._read(messages, reading)
        except NotLoggedIn as error:
            return reading.not_logged_in(str(error))
        except self._sdk.ResultError as error:
            reading.take_error(error)
        except self._sdk.CLINotFoundError as error:
            return reading.failure(retry.CONFIGURATION, str(error), retryable=False)
        except Exception as error:  # noqa: BLE001 - whatever the SDK lets through, the run is over
            said = "; ".join(self._complaints)
            return reading.failure("process", f"{error}: {said}" if said else str(error), retryable=True)
        return None

    async def _read(self, messages: AsyncGenerator[Any], reading: Reading) -> None:
        async for message in messages:
            try:
                reading.take(message)
            except NotLoggedIn:
                await self._end_processes()
                raise

    async def _count(self, reading: Reading) -> None:
        """Spend what this run has cost, and remember what the session has."""
        known = {name: value for name, value in (await self._context.remembered()).items() if name.startswith(_SPENT)}
        before = NO_USAGE
        for value in known.values():
            if value["session_id"] == reading.session_id:
                before = Usage(**value["usage"])
        spent, whole = reading.spent(before)
        self._context.spend(spent)
        if whole is not None:
            value = {"session_id": reading.session_id, "usage": whole.value()}
            await self._context.remember(f"{_SPENT}-{len(known) + 1}", value)

    def _end_processes(self) -> asyncio.Future[int]:
        return asyncio.get_running_loop().run_in_executor(None, end_processes, self._context.idempotency_key)


def _final(kind: str, message: str) -> Failed:
    return Failed(error=ErrorInfo(kind=kind, message=message))
