"""Every setting, from the environment or .env, which nothing else reads. .env.example explains them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar
from urllib.parse import quote

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.domain.checkpoints import CheckpointPolicy, Frequency
from app.domain.errors import Problem
from app.domain.retention import RetentionPolicy
from app.domain.status import ENDED, Status
from app.domain.times import MAX_DURATION, seconds
from app.env_file import NAME, SettingsError, file_values, unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Seconds = Annotated[float, Field(gt=0, le=MAX_DURATION)]
Bytes = Annotated[int, Field(ge=1024)]
Days = Annotated[float, Field(gt=0, le=36_500)]
Duration = Annotated[float, BeforeValidator(seconds), Field(gt=0)]
_WEBHOOK_RETRIES = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
"""As Standard Webhooks recommends: three days."""


class Settings(BaseSettings):
    """The settings as given. Read `database_dsn` and `is_durable` rather than what they are worked out from."""

    model_config = SettingsConfigDict(
        env_file=NAME,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    port: Port = 8000
    cors_allow_origins: Annotated[tuple[str, ...], NoDecode] = ()
    data_dir: Path = Path(".data")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_db_level: Literal["debug", "info", "warning", "error", "off"] = "info"
    log_retention_days: Annotated[float, Field(gt=0, le=3650)] = 7
    log_max_mb: Count = 500
    log_flows: bool = False

    database_url: str | None = Field(default=None, repr=False)
    postgres_connection_string: str | None = Field(default=None, repr=False)
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
    checkpoint_frequency: Frequency = Frequency.EVERY_STEP
    checkpoint_interval: Seconds = 1
    persistence_fallback: Literal["none", "memory"] = "none"
    retention_days: Days | None = None
    retention_status_days: Annotated[dict[Status, Days], NoDecode] = {}
    retention_max_per_workflow: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    retention_max_gb: Annotated[float, Field(gt=0, le=1e9)] | None = None
    retention_every_seconds: Seconds = 3600
    retention_agent_days: Days = 90
    message_retention_days: Days = 7
    schedule_firings_days: Days = 30
    schedule_firings_kept: Count = 1000
    journal_lanes: Count = 1
    journal_batch: Count = 200

    modules: Annotated[tuple[str, ...], NoDecode] = ()
    workflows_dir: Path | None = None
    agents_dir: Path | None = None
    http_allow_private: bool = False
    mcp_servers: Path | None = None
    mcp_enabled: bool = True
    mcp_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    mcp_allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    mcp_workflow_tools: Annotated[tuple[str, ...], NoDecode] = ()

    lease_seconds: Seconds = 10
    max_recoveries: Count = 10
    queue_limit: Count = 5
    queue_max_depth: Count = 100_000
    breaker_failures: Count = 10
    breaker_open_seconds: Seconds = 30
    breaker_ramp_seconds: Annotated[float, Field(ge=0, le=MAX_DURATION)] = 10
    agent_disable_after: Annotated[int, Field(ge=0, le=2**31 - 1)] = 10
    max_concurrent_threads: Count = 1000
    step_threads: Count = 32
    step_processes: Count = Field(default_factory=lambda: os.cpu_count() or 1)
    api_agent_secrets: Annotated[tuple[str, ...], NoDecode] = ()
    claude_code_from_api: bool = False
    claude_code_processes: Count = 4
    shutdown_grace_seconds: Seconds = 10
    sse_heartbeat_seconds: Seconds = 15
    otel_exporter_otlp_endpoint: str | None = Field(default=None, repr=False)
    otel_exporter_otlp_traces_endpoint: str | None = Field(default=None, repr=False)
    otel_exporter_otlp_headers: str | None = Field(default=None, repr=False)
    otel_exporter_otlp_traces_headers: str | None = Field(default=None, repr=False)
    otel_service_name: str | None = None
    otel_traces_exporter: str = "otlp"
    otel_sdk_disabled: bool = False
    max_body_bytes: Bytes = 10_000_000
    max_value_bytes: Bytes = 16_000_000
    import_max_bytes: Bytes = 268_435_456

    webhook_timeout_seconds: Seconds = 15
    webhook_retries: Annotated[tuple[Duration, ...], NoDecode] = _WEBHOOK_RETRIES
    webhook_concurrency: Count = 50
    webhook_endpoint_concurrency: Count = 10
    webhook_disable_days: Days = 5
    webhook_retention_days: Days = 30

    kill_point: str | None = None

    _given: dict[str, Any] = PrivateAttr(default_factory=dict[str, Any])

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

    @property
    def traces_url(self) -> str | None:
        """Where traces are to be sent (None: nowhere): the endpoint for traces as it is, else the common one and /v1/traces."""
        if self.otel_sdk_disabled or self.otel_traces_exporter.strip().lower() == "none":
            return None
        if self.otel_exporter_otlp_traces_endpoint is not None:
            return self.otel_exporter_otlp_traces_endpoint
        common = self.otel_exporter_otlp_endpoint
        return None if common is None else f"{common.rstrip('/')}/v1/traces"

    def secret(self, name: str) -> str | None:
        """A variable that is no setting, such as OPENAI_API_KEY: from the environment, else from .env; None for an empty one.

        Both are looked at each time, so that a key that is written into .env counts without a restart.
        """
        found = os.environ.get(name)
        return (file_values().get(name) if found is None else found) or None

    @property
    def checkpoints(self) -> CheckpointPolicy:
        """Which versions people are shown of workflows that do not say so themselves."""
        return CheckpointPolicy(self.checkpoint_frequency, self.checkpoint_interval)

    @field_validator(
        *("log_level", "log_db_level", "checkpointer", "checkpoint_frequency", "persistence_fallback"), mode="before"
    )
    @classmethod
    def _in_lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @property
    def retention(self) -> RetentionPolicy:
        """How long threads that have ended are kept, unless their workflows are told otherwise."""
        return RetentionPolicy(
            days=self.retention_days,
            status_days=self.retention_status_days,
            max_per_workflow=self.retention_max_per_workflow,
            max_bytes=None if self.retention_max_gb is None else self.retention_max_gb * 1e9,
        )

    def again(self) -> Self:
        """As the environment, .env and what was given before say now.  Raises SettingsError."""
        return _made(type(self), self._given)

    def changed(self, values: Mapping[str, Any]) -> Self:
        """With some of them changed, all checked again; .env is not looked at.  Raises SettingsError."""
        return _made(type(self), {"_env_file": None, **self.model_dump(), **values})

    def source(self, name: str) -> str:
        """Where a setting comes from: command_line, environment, file or default."""
        if name in self._given:
            return "command_line"
        if any(each.lower() == name and value for each, value in os.environ.items()):
            return "environment"
        found = file_values()
        return "file" if any(each.lower() == name and value for each, value in found.items()) else "default"

    def remember(self, given: dict[str, Any]) -> Self:
        """What was given before environment and file."""
        self._given = given
        return self

    @field_validator("retention_status_days", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        return {name.strip().lower(): days.strip() for name, _, days in pairs}

    @field_validator(
        *("modules", "api_agent_secrets", "cors_allow_origins", "webhook_retries"),
        *("mcp_allowed_hosts", "mcp_allowed_origins", "mcp_workflow_tools"),
        mode="before",
    )
    @classmethod
    def _comma_list(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_allow_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"\*|null|https?://[^\s/?#@*]+", origin) for origin in value):
            raise ValueError("should be origins such as https://app.example.com, or *")
        return value

    @field_validator("database_url", "postgres_connection_string")
    @classmethod
    def _is_postgres(cls, value: str | None) -> str | None:
        if value is not None and value.partition("://")[0].partition("+")[0] not in {"postgres", "postgresql"}:
            message = "should begin with postgresql://"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if not self.retention_status_days.keys() <= ENDED:
            message = f"RETENTION_STATUS_DAYS should be of {', '.join(sorted(ENDED))} only"
            raise ValueError(message)
        if self.checkpoint_frequency is Frequency.EVERY_N_STEPS and self.checkpoint_interval % 1:
            message = "CHECKPOINT_INTERVAL should be a whole number of steps with CHECKPOINT_FREQUENCY=every_n_steps"
            raise ValueError(message)
        if self.checkpointer == "memory" and self.use_postgres_saver:
            message = "CHECKPOINTER=memory and USE_POSTGRES_SAVER=true contradict each other"
            raise ValueError(message)
        return self


_S = TypeVar("_S", bound=Settings)


def load_settings(**overrides: Any) -> Settings:
    """The settings, where an override that is not None goes before the environment, and that before .env.

    Raises SettingsError with one line that names every wrong setting, never its value.
    """
    unknown = sorted(overrides.keys() - Settings.model_fields.keys())
    if unknown:
        message = f"no such setting: {', '.join(unknown)}"
        raise SettingsError(message)
    given = {name: value for name, value in overrides.items() if value is not None}
    return _made(Settings, given).remember(given)


def _made(kind: type[_S], values: Mapping[str, Any]) -> _S:
    try:
        return kind(**values)
    except ValidationError as error:
        found = error.errors()
        problems = [Problem("".join(f"/{part}" for part in one["loc"]), _message(one)) for one in found]
        raise SettingsError(*(_line(problem) for problem in found), problems=problems) from None
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(error) from None


def environment() -> dict[str, str]:
    """The environment of this process: for who starts a program and says what of it that one gets."""
    return dict(os.environ)


def _message(problem: Any) -> str:
    return " ".join(problem["msg"].removeprefix("Value error, ").split())


def _line(problem: Any) -> str:
    message = _message(problem)
    name = ".".join(str(part) for part in problem["loc"]).upper()
    return f"{name}: {message}" if name else message
