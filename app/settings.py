"""Every setting, from the environment or .env, which nothing else reads. .env.example explains them."""

from __future__ import annotations

import os
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.domain.errors import StartupError

Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(ge=1024)]


class SettingsError(StartupError):
    """A setting is wrong; the message is one line that names it, `problems` has a line for each."""

    code = "invalid_settings"

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """The settings as given. Read `database_dsn` and `is_durable` rather than what they are worked out from."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    port: Port = 8000
    data_dir: Path = Path(".data")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    database_url: str | None = None
    postgres_connection_string: str | None = None
    database_host: str | None = None
    database_port: Port = 5432
    database_name: str = "backstitch"
    database_user: str = "backstitch"
    database_password: str | None = Field(default=None, repr=False)
    postgres_schema: str = Field(default="public", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    database_pool_size: Count = 10

    checkpointer: Literal["postgres", "memory"] = "postgres"
    use_postgres_saver: bool | None = None
    checkpoint_enabled: bool = True
    checkpoint_frequency: str = "every_step"
    checkpoint_interval: int = 1
    persistence_fallback: Literal["none", "memory"] = "none"
    retention_days: int | None = None
    journal_lanes: Count = 1
    journal_batch: Count = 200

    modules: Annotated[tuple[str, ...], NoDecode] = ()
    workflows_dir: Path | None = None
    agents_dir: Path | None = None
    http_allow_private: bool = False
    mcp_servers: Path | None = None

    lease_seconds: Seconds = 10
    max_recoveries: Count = 10
    queue_limit: Count = 5
    queue_max_depth: Count = 100_000
    breaker_failures: Count = 10
    breaker_open_seconds: Seconds = 30
    breaker_ramp_seconds: Annotated[float, Field(ge=0)] = 10
    agent_disable_after: Annotated[int, Field(ge=0)] = 10
    max_concurrent_threads: Count = 1000
    step_threads: Count = 32
    step_processes: Count = Field(default_factory=lambda: os.cpu_count() or 1)
    api_agent_secrets: Annotated[tuple[str, ...], NoDecode] = ()
    claude_code_from_api: bool = False
    claude_code_processes: Count = 4
    shutdown_grace_seconds: Seconds = 10
    sse_heartbeat_seconds: Seconds = 15
    max_body_bytes: Bytes = 10_000_000
    max_value_bytes: Bytes = 16_000_000
    kill_point: str | None = None

    @property
    def is_durable(self) -> bool:
        """Whether threads are to be kept in PostgreSQL; else the journal is in memory."""
        return self.checkpoint_enabled and self.checkpointer == "postgres" and self.use_postgres_saver is not False

    @property
    def database_dsn(self) -> str | None:
        """The PostgreSQL to use, as asyncpg takes it; None stands for the embedded one under `data_dir`."""
        given = self.database_url or self.postgres_connection_string
        if given is not None:
            rest = given.partition("://")[2]
            return f"postgresql://{rest}"
        if self.database_host is None:
            return None
        password = f":{quote(self.database_password, safe='')}" if self.database_password else ""
        user = quote(self.database_user, safe="")
        host = f"[{self.database_host}]" if ":" in self.database_host else self.database_host
        return f"postgresql://{user}{password}@{host}:{self.database_port}/{quote(self.database_name, safe='')}"

    def secret(self, name: str) -> str | None:
        """A variable that is no setting, such as OPENAI_API_KEY: from the environment, else from .env; None for an empty one.

        Both are looked at each time, so that a key that is written into .env counts without a restart.
        """
        found = os.environ.get(name)
        if found is None:
            try:
                found = _env_file(Path(".env").stat().st_mtime_ns).get(name)
            except (OSError, UnicodeDecodeError):
                return None
        return found or None

    @field_validator("log_level", "checkpointer", "persistence_fallback", mode="before")
    @classmethod
    def _in_lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("modules", "api_agent_secrets", mode="before")
    @classmethod
    def _comma_list(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url", "postgres_connection_string")
    @classmethod
    def _is_postgres(cls, value: str | None) -> str | None:
        if value is not None and value.partition("://")[0].partition("+")[0] not in {"postgres", "postgresql"}:
            message = "should begin with postgresql://"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        later = {
            "CHECKPOINT_FREQUENCY": (self.checkpoint_frequency, "every_step"),
            "CHECKPOINT_INTERVAL": (self.checkpoint_interval, 1),
            "RETENTION_DAYS": (self.retention_days, None),
        }
        for name, (value, built) in later.items():
            if value != built:
                message = f"{name} cannot be changed yet: leave it out" + (f" or say {built}" if built else "")
                raise ValueError(message)
        if self.checkpointer == "memory" and self.use_postgres_saver:
            message = "CHECKPOINTER=memory and USE_POSTGRES_SAVER=true contradict each other"
            raise ValueError(message)
        return self


def load_settings(**overrides: Any) -> Settings:
    """The settings, where an override that is not None goes before the environment, and that before .env.

    Raises SettingsError with one line that names every wrong setting, never its value.
    """
    unknown = sorted(overrides.keys() - Settings.model_fields.keys())
    if unknown:
        message = f"no such setting: {', '.join(unknown)}"
        raise SettingsError(message)
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise SettingsError(*(_line(problem) for problem in error.errors())) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(error) from None


def env_file() -> tuple[dict[str, str], list[int]] | None:
    """What stands in .env, and the lines that say nothing and are passed over; None without one.  Raises SettingsError."""
    try:
        text = Path(".env").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(error) from None
    read = list(parse_stream(StringIO(text)))
    vain = [one.original.line for one in read if one.error or (one.key and one.value is None)]
    return {one.key: one.value for one in read if one.key and one.value is not None}, vain


def _unreadable(error: OSError | UnicodeDecodeError) -> SettingsError:
    return SettingsError(f".env cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")


@lru_cache(maxsize=1)
def _env_file(changed_at: int) -> dict[str, str | None]:  # noqa: ARG001 - a change makes it be read again
    return dotenv_values(".env", encoding="utf-8")


def environment() -> dict[str, str]:
    """The environment of this process: for who starts a program and says what of it that one gets."""
    return dict(os.environ)


def _line(problem: Any) -> str:
    message = " ".join(problem["msg"].removeprefix("Value error, ").split())
    name = ".".join(str(part) for part in problem["loc"]).upper()
    return f"{name}: {message}" if name else message
