"""How functions become known to workflows: decorators that mark, and a scan of named modules that collects what they marked.

    @agent("analyst")                      # for `agent: analyst`
    def analyst(input, ctx): ...

    @function("hash", run_in="process")    # for `python: hash`; CPU-bound work
    def hash_it(input): ...

A marked function is unchanged.  It takes the step's input and, unless it runs in a process, may take the step's context.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from app.domain.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

Kind = Literal["agent", "function", "workflow"]
RunIn = Literal["thread", "process", "loop"]
Doer = TypeVar("Doer", bound="Callable[..., Any]")
_MARK = "__backstitch__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How a function is known: `name` for `agent:` or `python:` steps, and where it runs."""

    kind: Kind
    name: str
    run_in: RunIn
    input_schema: Mapping[str, Any] | None = None
    limits: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A collected function; `takes_context`: it has a second parameter."""

    registration: Registration
    call: Callable[..., Any]
    takes_context: bool


def agent(name: str, *, run_in: RunIn | None = None) -> Callable[[Doer], Doer]:
    """Register the decorated function as the agent `name`; by default in the loop if it is async, else in a thread."""
    return _mark("agent", name, run_in)


def function(name: str, *, run_in: RunIn | None = None) -> Callable[[Doer], Doer]:
    """Register the decorated function for `python:` steps as `name`; `run_in` as for `agent`."""
    return _mark("function", name, run_in)


def workflow(
    name: str,
    *,
    input: Mapping[str, Any] | None = None,  # noqa: A002 - as in a document
    limits: Mapping[str, Any] | None = None,
) -> Callable[[Doer], Doer]:
    """Register the decorated async function `(ctx, input)` as the workflow `name` (see domain.flow).

    `input` is a JSON Schema, `limits` are as in a document.
    """

    def decorate(doer: Doer) -> Doer:
        if not inspect.iscoroutinefunction(doer):
            raise TypeError(f"{name}: a workflow is an async function")
        mark = Registration(kind="workflow", name=name, run_in="loop", input_schema=input, limits=limits)
        setattr(doer, _MARK, mark)
        return doer

    return decorate


def _mark(kind: Kind, name: str, run_in: RunIn | None) -> Callable[[Doer], Doer]:
    def decorate(doer: Doer) -> Doer:
        asynchronous = inspect.iscoroutinefunction(doer)
        where = run_in or ("loop" if asynchronous else "thread")
        if asynchronous != (where == "loop"):
            raise TypeError(f"{name}: an async function runs in the loop, and only an async function does")
        setattr(doer, _MARK, Registration(kind=kind, name=name, run_in=where))
        return doer

    return decorate


@dataclass(slots=True)
class Functions:
    """All functions that this process can call, by kind and name."""

    by_name: dict[tuple[Kind, str], Registered] = field(default_factory=dict[tuple[Kind, str], Registered])

    def add(self, call: Callable[..., Any]) -> None:
        """Register a marked function.  Raises StartupError for a name that is taken by another."""
        registration: Registration = getattr(call, _MARK)
        key = (registration.kind, registration.name)
        known = self.by_name.get(key)
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


def load_modules(names: Iterable[str]) -> Functions:
    """Import modules by name and collect what they marked.  Raises StartupError in one line."""
    functions = Functions()
    for name in names:
        try:
            functions.scan(importlib.import_module(name))
        except ImportError as error:
            raise StartupError(f"the module {name} in MODULES cannot be imported: {error}") from error
    return functions
