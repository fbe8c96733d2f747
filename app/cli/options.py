"""Commands whose options are a dataclass: one field an option, so that an action takes one typed value.

Every command also takes `--url` and `--json`, before or after its name.
"""

from __future__ import annotations

import functools
import inspect
import re
from dataclasses import MISSING, dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeAlias, TypeVar, cast, get_type_hints
from urllib.parse import urlsplit

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from app.client import Backstitch

DEFAULT_URL: Final = "http://127.0.0.1:8000"

_LONGEST_KEY: Final = 255


def service_url(given: str | None) -> str | None:
    """`given`, if a service can be at it.  Raises BadParameter."""
    if given is None:
        return None
    try:
        parts = urlsplit(given)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        known = whole and not parts.query and not parts.fragment
    except ValueError:  # brackets without an address, a port beyond the highest
        known = False
    if not known:
        raise typer.BadParameter(f"{given!r} is no address of a service: write http://HOST:PORT")
    return given


def _key(given: str | None) -> str | None:
    """`given`, if the service takes it; above all an empty one must not pass for none."""
    if given is not None and not (given.isascii() and given.isprintable() and 1 <= len(given.strip()) <= _LONGEST_KEY):
        raise typer.BadParameter(f"write 1 to {_LONGEST_KEY} printable ASCII characters")
    return given


Url: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        callback=service_url,
        help=f"The service; by default $BACKSTITCH_URL or {DEFAULT_URL}.",
    ),
]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option("--idempotency-key", metavar="KEY", callback=_key, help="Doing it twice with one key does it once."),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for programs, and nothing else.")]
Thread: TypeAlias = Annotated[str, typer.Argument(metavar="THREAD", help="The id of a thread.")]


class Given(Protocol):
    """What every command's options have."""

    @property
    def url(self) -> str | None:
        """Where the service is."""
        ...

    @property
    def json(self) -> bool:
        """Whether to print JSON."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options of every command; without a url of its own a command takes the one given before its name."""

    url: Url = None
    json: Json = False

    @property
    def service(self) -> str:
        """The url of the service, settled."""
        return self.url or DEFAULT_URL


@dataclass(frozen=True, slots=True, kw_only=True)
class OfThread(Common):
    """The options of a command on one thread."""

    thread: Thread


O = TypeVar("O", bound=Common)  # noqa: E741


def command(app: typer.Typer, options: type[O]) -> Callable[[Callable[[O], int]], Callable[[O], int]]:
    """Register a function of an `options` dataclass as the command of its name; it returns the exit code."""

    def register(action: Callable[[O], int]) -> Callable[[O], int]:
        def run(ctx: typer.Context, **given: object) -> None:
            before = cast("Common", ctx.find_root().obj)
            o = options(**cast("dict[str, Any]", given))
            raise typer.Exit(action(replace(o, url=o.url or before.url, json=o.json or before.json)))

        cast("Any", run).__signature__ = inspect.Signature([_CONTEXT, *_parameters(options)])
        run.__annotations__ = {"ctx": typer.Context}
        app.command(action.__name__.rstrip("_").replace("_", "-"), help=_unwrapped(action))(run)
        return action

    return register


def service_command(
    app: typer.Typer, options: type[O]
) -> Callable[[Callable[[Backstitch, O], Coroutine[None, None, int]]], None]:
    """As `command`, for an async function that also takes a client of the service."""

    def register(action: Callable[[Backstitch, O], Coroutine[None, None, int]]) -> None:
        @functools.wraps(action)
        def connected(o: O) -> int:
            from app.cli.runtime import run  # noqa: PLC0415 - httpx takes a third of a second that --help need not

            return run(action, o)

        command(app, options)(connected)

    return register


_CONTEXT: Final = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)


def _parameters(options: type[Common]) -> list[inspect.Parameter]:
    hints = get_type_hints(options, include_extras=True)
    shared = {field.name for field in fields(Common)}
    ordered = sorted(fields(options), key=lambda field: field.name in shared)  # the common ones last in the help
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in ordered
    ]


def _unwrapped(action: Callable[..., int]) -> str:
    """The docstring with the line breaks of the source taken out of its paragraphs."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.getdoc(action) or "")
