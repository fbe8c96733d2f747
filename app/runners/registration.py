"""How functions become known to workflows: decorators that mark, and a scan of modules that collects what they marked.

    @agent("analyst")                      # for `agent: analyst`
    def analyst(input, ctx): ...

    @function("hash", run_in="process")    # for `python: hash`; CPU-bound work
    def hash_it(input): ...

Modules are named by MODULES, or by installed packages: entry points of the group `backstitch.agents` name a module or a
marked function.  A marked function is unchanged.  It takes the step's input and, unless it runs in a process, may take the
step's context.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from app.domain.agents import Agent
from app.domain.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from importlib.metadata import EntryPoint
    from types import ModuleType

Kind = Literal["agent", "function", "workflow"]
RunIn = Literal["thread", "process", "loop"]
Doer = TypeVar("Doer", bound="Callable[..., Any]")
GROUP: Final = "backstitch.agents"
_MARK = "__backstitch__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How a function is known: `name` for `agent:` or `python:` steps, where it runs, and what is told of an agent."""

    kind: Kind
    name: str
    run_in: RunIn
    input_schema: Mapping[str, Any] | None = None
    limits: Mapping[str, Any] | None = None
    checkpoint: Mapping[str, Any] | None = None
    about: Agent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A collected function; `takes_context`: it has a second parameter."""

    registration: Registration
    call: Callable[..., Any]
    takes_context: bool


def agent(
    name: str,
    *,
    run_in: RunIn | None = None,
    description: str | None = None,
    input_schema: Mapping[str, Any] | None = None,
    output_schema: Mapping[str, Any] | None = None,
    tags: Iterable[str] = (),
) -> Callable[[Doer], Doer]:
    """Register the decorated function as the agent `name`; by default in the loop if it is async, else in a thread.

    The schemas are JSON Schemas for the step's input and what the function gives; without `description` it is the first
    paragraph of the docstring.
    """

    def decorate(doer: Doer) -> Doer:
        told = description or (inspect.getdoc(doer) or "").partition("\n\n")[0].replace("\n", " ").strip()
        about = Agent(
            name=name,
            kind="python",
            description=told or None,
            input_schema=input_schema,
            output_schema=output_schema,
            tags=tuple(tags),
        )
        return _mark("agent", name, run_in, about)(doer)

    return decorate


def function(name: str, *, run_in: RunIn | None = None) -> Callable[[Doer], Doer]:
    """Register the decorated function for `python:` steps as `name`; `run_in` as for `agent`."""
    return _mark("function", name, run_in)


def workflow(
    name: str,
    *,
    input: Mapping[str, Any] | None = None,  # noqa: A002 - as in a document
    limits: Mapping[str, Any] | None = None,
    checkpoint: Mapping[str, Any] | None = None,
) -> Callable[[Doer], Doer]:
    """Register the decorated async function `(ctx, input)` as the workflow `name` (see domain.flow).

    `input` is a JSON Schema, `limits` and `checkpoint` are as in a document.
    """

    def decorate(doer: Doer) -> Doer:
        if not inspect.iscoroutinefunction(doer):
            raise TypeError(f"{name}: a workflow is an async function")
        mark = Registration(
            kind="workflow", name=name, run_in="loop", input_schema=input, limits=limits, checkpoint=checkpoint
        )
        setattr(doer, _MARK, mark)
        return doer

    return decorate


def _mark(kind: Kind, name: str, run_in: RunIn | None, about: Agent | None = None) -> Callable[[Doer], Doer]:
    def decorate(doer: Doer) -> Doer:
        asynchronous = inspect.iscoroutinefunction(doer)
        where = run_in or ("loop" if asynchronous else "thread")
        if asynchronous != (where == "loop"):
            raise TypeError(f"{name}: an async function runs in the loop, and only an async function does")
        setattr(doer, _MARK, Registration(kind=kind, name=name, run_in=where, about=about))
        return doer

    return decorate


@dataclass(slots=True)
class Functions:
    """All functions that this process can call, by kind and name."""

    by_name: dict[tuple[Kind, str], Registered] = field(default_factory=dict[tuple[Kind, str], Registered])

    def add(self, call: Callable[..., Any], *, give_way: bool = False) -> None:
        """Register a marked function, `give_way`: unless its name is taken.  Raises StartupError for one that is."""
        registration: Registration = getattr(call, _MARK)
        key = (registration.kind, registration.name)
        known = self.by_name.get(key)
        if known is not None and give_way:
            return
        if known is not None and known.call is not call:
            raise StartupError(f"two functions are registered as {registration.kind} {registration.name!r}")
        takes_context = registration.run_in != "process" and len(inspect.signature(call).parameters) > 1
        self.by_name[key] = Registered(registration=registration, call=call, takes_context=takes_context)

    def scan(self, module: ModuleType) -> None:
        """Register every marked function that a module holds."""
        for value in vars(module).values():
            if callable(value) and isinstance(getattr(value, _MARK, None), Registration):
                self.add(value)

    def find(self, kind: Kind, name: str) -> Registered | None:
        """The function of that name."""
        return self.by_name.get((kind, name))

    def workflow(self, name: str) -> Callable[..., Any] | None:
        """The function of a workflow in Python."""
        found = self.find("workflow", name)
        return found.call if found is not None else None

    def workflows(self) -> list[Registered]:
        """All workflows in Python, by name."""
        return [self.by_name["workflow", name] for name in self.names("workflow")]

    def names(self, kind: Kind) -> list[str]:
        """The names of a kind, sorted."""
        return sorted(name for a_kind, name in self.by_name if a_kind == kind)

    def agents(self) -> list[tuple[Agent, str]]:
        """The agents among them, by name, each with where it stands: `module:function`."""
        return [
            (found.registration.about, f"{found.call.__module__}:{found.call.__qualname__}")
            for _, found in sorted(self.by_name.items())
            if found.registration.about is not None
        ]


def load_modules(names: Iterable[str]) -> Functions:
    """Import modules by name and collect what they marked.  Raises StartupError in one line."""
    functions = Functions()
    for module in imported(names):
        functions.scan(module)
    return functions


def imported(names: Iterable[str]) -> Iterator[ModuleType]:
    """The modules of these names.  Raises StartupError in one line."""
    for name in names:
        try:
            yield importlib.import_module(name)
        except ImportError as error:
            raise StartupError(f"the module {name} in MODULES cannot be imported: {error}") from error


def load_entry_points(functions: Functions, found: Iterable[EntryPoint]) -> None:
    """Add what installed packages register.  Raises StartupError in one line that names the entry point."""
    for one in found:
        where = f"the entry point {one.name} = {one.value} of the group {GROUP}"
        try:
            value = one.load()
        except (ImportError, AttributeError) as error:
            raise StartupError(f"{where} cannot be loaded: {error}") from error
        if isinstance(value, ModuleType):
            functions.scan(value)
        elif isinstance(getattr(value, _MARK, None), Registration):
            functions.add(value)
        else:
            raise StartupError(f"{where} is neither a module nor a function that @agent or @function has marked")
