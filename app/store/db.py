"""Connections to PostgreSQL: the pool, the held writer's connection, and what their errors mean."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from app.domain.errors import StartupError, Unavailable
from app.store.pool import Pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

if TYPE_CHECKING:  # generic in the stubs only
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

_PATIENCE: Final = 15.0
"""Seconds in which a statement has to be answered."""

LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection raises that is cut in the middle of a command
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,  # a password that is being changed, a role that is locked for a while
    asyncpg.InvalidCatalogNameError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    OSError,
    TimeoutError,
)
"""The connection is gone or the server is away: what was sent may or may not have happened."""

_WRITABLE: Final = SessionAttribute.read_write
"""After a failover the name may lead to the old primary for a moment, as a standby: a connection to that would be kept."""

AGAIN: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
)
"""The statement was rolled back through no fault of its own (a deadlock, a full disk, a failover): send it again."""

REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)
"""Something in the rows is at fault; sending them again cannot help."""


class _PlainConnection(Connection):
    """A connection that leaves no session state behind, so that giving it back to the pool costs no round trip."""

    def get_reset_query(self) -> str:
        return ""


async def connect(dsn: str, *, schema: str | None = None, application: str = "backstitch-journal") -> Connection:
    """A connection of one's own, whose statements count as lost when they get no answer for `_PATIENCE`.

    Raises what is in LOST when the server cannot be reached.
    """
    settings = _settings(schema, application)
    return await asyncpg.connect(
        dsn, timeout=10, command_timeout=_PATIENCE, server_settings=settings, target_session_attrs=_WRITABLE
    )


@asynccontextmanager
async def open_pool(
    dsn: str, *, size: int = 10, schema: str | None = None, patience: float = _PATIENCE
) -> AsyncGenerator[Pool]:
    """A bounded pool, each statement of which has `patience` seconds once it has its connection.

    Raises StartupError in one line when the server cannot be reached.
    """
    try:
        inner = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            timeout=10,
            command_timeout=patience,
            connection_class=_PlainConnection,
            target_session_attrs=_WRITABLE,
            # Statements are planned once, perhaps while the tables are still empty, and those plans are kept as they grow.
            server_settings={**_settings(schema, "backstitch"), "enable_seqscan": "off"},
        )
    except (*LOST, asyncpg.PostgresError, ValueError) as error:
        raise unusable(error) from error
    try:
        yield Pool(inner)
    finally:
        inner.terminate()


def unusable(error: BaseException) -> StartupError:
    """What is said when the service cannot start for want of a database; never a piece of the connection string."""
    return StartupError(f"PostgreSQL cannot be reached: {refusal(error)}; check DATABASE_URL")


def refusal(error: BaseException) -> str:
    """Why there is no connection; never a piece of the connection string."""
    if isinstance(error, ValueError) and not isinstance(error, asyncpg.InterfaceError):
        return "the connection string cannot be read (is something in it to be percent-encoded?)"
    return describe(error)


def unavailable(error: BaseException) -> Unavailable:
    """What a caller is told while the database is away."""
    return Unavailable(f"the database cannot be reached: {describe(error)}", retry_after=2)


def describe(error: BaseException) -> str:
    """The first line of a driver's error."""
    return (str(error) or type(error).__name__).splitlines()[0]


def _settings(schema: str | None, application: str) -> dict[str, Any]:
    settings = {
        "application_name": application,
        "jit": "off",
        "timezone": "UTC",
        "synchronous_commit": "on",  # what was answered is durable, whatever the server's default
        # A process that is frozen or cut off with a row locked must not hold up the others for ever.
        "idle_in_transaction_session_timeout": "5s",
        "lock_timeout": "5s",
    }
    if schema:
        settings["search_path"] = '"' + schema.replace('"', '""') + '"'
    return settings
