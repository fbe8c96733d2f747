"""The config of an agent of the kind `claude-code`: its schema, what can be wrong with it, and the options it comes to.

What it may do on this machine is the operator's: an agent that was registered over the API is a model without tools, in an
empty folder, with the service's own key and address, unless CLAUDE_CODE_FROM_API says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from app.domain import jsontext
from app.domain.errors import InvalidWorkflow
from app.domain.template import Template
from app.runners.processes import VARIABLE
from app.runners.secret_values import SECRET_SCHEMA, Masks, Secrets, named_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from app.domain.agents import Agent
    from app.domain.runner import Attempt

KEY_VARIABLE: Final = "ANTHROPIC_API_KEY"
URL_VARIABLE: Final = "ANTHROPIC_BASE_URL"
MISSING: Final = "Claude Code is not installed: pip install 'backstitch[claude-code]'"
RESUME_PROMPT: Final = (
    "You were interrupted. Go on from where you stopped and finish what you were asked to do. "
    "Do not repeat what is done already."
)
_FOR_ALL: Final = frozenset({"prompt", "system_prompt", "resume_prompt", "model", "max_turns", "max_budget_usd"})
_VARIABLE: Final = "^[A-Za-z_][A-Za-z0-9_]*$"
_MODES: Final = ("default", "acceptEdits", "plan", "dontAsk", "bypassPermissions")
_CAUTIOUS: Final = frozenset({None, "default", "dontAsk"})
_LONGEST_ARGUMENT: Final = 100_000
"""Bytes; Linux takes 128 KiB for one argument of a command."""
_TEXTS: Final = {"type": "array", "items": {"type": "string", "minLength": 1}}

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["prompt"],
    "additionalProperties": False,
    "properties": {
        "prompt": {"type": "string", "minLength": 1},
        "system_prompt": {"type": "string"},
        "resume_prompt": {"type": "string", "minLength": 1},
        "model": {"type": "string", "minLength": 1},
        "max_turns": {"type": "integer", "minimum": 1},
        "max_budget_usd": {"type": "number", "exclusiveMinimum": 0},
        "cwd": {"type": "string", "minLength": 1},
        "tools": _TEXTS,
        "allowed_tools": _TEXTS,
        "disallowed_tools": _TEXTS,
        "permission_mode": {"enum": list(_MODES)},
        "setting_sources": {"type": "array", "items": {"enum": ["user", "project", "local"]}},
        "mcp_servers": _TEXTS,
        "env": {
            "type": "object",
            "propertyNames": {"pattern": _VARIABLE},
            "additionalProperties": {"anyOf": [{"type": "string"}, SECRET_SCHEMA]},
        },
        "api_key_env": {"type": ["string", "null"], "pattern": _VARIABLE},
        "base_url": {"type": "string", "pattern": "^https?://"},
    },
}

_AMBIENT: Final = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR", "TEMP", "TMP",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    }
)  # fmt: skip
"""What the child gets of the service's environment, with LC_* and XDG_*.  The rest may hold keys and passwords."""
_QUIET: Final = {
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_MAX_RETRIES": "2",  # the step's own retries are the durable ones
}


class McpServer(Protocol):
    """A server of the operator's file: a `command` with `args` and `env`, or a `url` with `headers`.

    `secrets` are values in them that nobody should see.
    """

    @property
    def command(self) -> str | None: ...
    @property
    def args(self) -> tuple[str, ...]: ...
    @property
    def env(self) -> Mapping[str, str]: ...
    @property
    def cwd(self) -> str | None: ...
    @property
    def url(self) -> str | None: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def secrets(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What the service gives to all agents of the kind.

    `folder` holds their sessions and work; `secrets` and `environment` are the service's; `mcp_server` finds one by name.
    """

    folder: Path
    secrets: Secrets
    environment: Callable[[], Mapping[str, str]]
    mcp_server: Callable[[str], McpServer | None]
    from_api: bool
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run, worked out: the prompt, `options` for the SDK by name, and the servers' config for a file of its own."""

    prompt: str
    resume_prompt: str
    cwd: Path
    key_variable: str | None
    structured: bool
    options: dict[str, Any] = field(repr=False)
    mcp: dict[str, Any] = field(repr=False)


def problems(agent: Agent, house: House) -> Iterator[str]:
    """What is wrong with such a config, in words."""
    config = agent.config
    for key in ("prompt", "system_prompt"):
        yield from _template_problems(config.get(key), key)
    if not _trusted(agent, house):
        for key in sorted(config.keys() - _FOR_ALL):
            yield f"{key}: only an agent from code or a file may say this, unless CLAUDE_CODE_FROM_API is on"
    yield from _secret_problems(agent, house)
    for name in config.get("mcp_servers") or ():
        yield from _server_problems(name, house.mcp_server(name))
    if "cwd" in config and not Path(config["cwd"]).is_dir():
        yield f"cwd: there is no folder {config['cwd']}"


def _secret_problems(agent: Agent, house: House) -> Iterator[str]:
    variable = agent.config.get("api_key_env", KEY_VARIABLE)
    if variable is not None and not (house.secrets.read(variable) or "").strip():
        yield f"the variable {variable} is not set (api_key_env names another; null uses the login of the service's user)"
    env: Mapping[str, Any] = agent.config.get("env") or {}
    for name in named_secrets(env.values()):
        found = house.secrets.problem(name, agent)
        yield from [found] if found else []


def _server_problems(name: str, server: McpServer | None) -> Iterator[str]:
    if server is None:
        yield f"mcp_servers: {name} is not in the operator's file (MCP_SERVERS)"
    elif server.command is not None and server.cwd is not None:
        yield f"mcp_servers: {name} has a cwd, which Claude Code cannot give it"


def plan(agent: Agent, attempt: Attempt, house: House, masks: Masks) -> Plan:
    """The run for an attempt; `masks` learns the secrets in it.

    Raises LookupError for what is not there or not allowed, ExpressionError, ValueError.
    """
    wrong = next(problems(agent, house), None)
    if wrong is not None:
        raise LookupError(wrong)
    config, scope = agent.config, {"input": attempt.input}
    tools = _tools(agent, house)
    servers: list[str] = list(config.get("mcp_servers") or ())
    structured = agent.output_schema is not None and agent.output_schema.get("type") == "object"
    options: dict[str, Any] = {
        "system_prompt": _system_prompt(config, scope, tools),
        "tools": tools,
        "allowed_tools": _allowed(config, servers),
        "setting_sources": list(config.get("setting_sources") or ()),
        "env": _environment(agent, attempt, house, masks),
        "strict_mcp_config": True,
        "include_partial_messages": True,
        "verbatim_prompts": True,  # else an @path or a /command in the input would read files or run commands
        "max_buffer_size": house.max_bytes,
    }
    for key in ("model", "max_turns", "max_budget_usd", "permission_mode", "disallowed_tools"):
        if key in config:
            options[key] = config[key]
    if structured:
        options["output_format"] = {"type": "json_schema", "schema": dict(agent.output_schema or {})}
    return Plan(
        prompt=_as_text(_compiled(config["prompt"]).render(scope)),
        resume_prompt=config.get("resume_prompt", RESUME_PROMPT),
        cwd=Path(config["cwd"]) if "cwd" in config else house.folder / "work" / agent.name,
        key_variable=config.get("api_key_env", KEY_VARIABLE),
        structured=structured,
        options=options,
        mcp={name: _mcp(house.mcp_server(name), masks) for name in servers},
    )


def _trusted(agent: Agent, house: House) -> bool:
    return agent.source in {"code", "file"} or house.from_api


def _tools(agent: Agent, house: House) -> list[str] | None:
    """The built-in tools that there are; None: all.  Nobody is there to be asked, so what is not allowed need not be there."""
    config = agent.config
    if not _trusted(agent, house):
        return []
    if "tools" in config:
        return list(config["tools"])
    if config.get("permission_mode") not in _CAUTIOUS:
        return None
    names = [str(tool).partition("(")[0].strip() for tool in config.get("allowed_tools") or ()]
    return list(dict.fromkeys(name for name in names if not name.startswith("mcp__")))


def _allowed(config: Mapping[str, Any], servers: list[str]) -> list[str]:
    """The tools that need no permission; those of a named server all, unless some of them are listed."""
    allowed: list[str] = list(config.get("allowed_tools") or ())
    whole = [f"mcp__{name}" for name in servers if not any(tool.startswith(f"mcp__{name}") for tool in allowed)]
    return allowed + whole


def _system_prompt(config: Mapping[str, Any], scope: Mapping[str, Any], tools: list[str] | None) -> Any:
    if "system_prompt" not in config:
        return "" if tools == [] else {"type": "preset", "preset": "claude_code"}
    text = _as_text(_compiled(config["system_prompt"]).render(scope))
    if "\0" in text or len(text.encode()) > _LONGEST_ARGUMENT:
        raise ValueError(
            f"system_prompt: longer than {_LONGEST_ARGUMENT:,} bytes, or with a NUL: the prompt takes both"
        )
    return text


def _environment(agent: Agent, attempt: Attempt, house: House, masks: Masks) -> dict[str, str]:
    """What is put over the service's environment, which the SDK hands on as it is: most of it is blanked."""
    config = agent.config
    ambient = house.environment()
    kept = {name for name in ambient if name in _AMBIENT or name.startswith(("LC_", "XDG_"))}
    variable: str | None = config.get("api_key_env", KEY_VARIABLE)
    own = {**_QUIET, VARIABLE: attempt.context.idempotency_key}
    if variable is not None:
        own[KEY_VARIABLE] = house.secrets.key(variable) or ""
        masks.add(own[KEY_VARIABLE])
        own["CLAUDE_CONFIG_DIR"] = str(house.folder / "config")
    else:
        kept |= {"CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN"}
    url = config.get("base_url") or house.secrets.read(URL_VARIABLE)
    if url:
        own[URL_VARIABLE] = url
    given: Mapping[str, Any] = config.get("env") or {}
    for name, value in given.items():
        own[name] = value if isinstance(value, str) else house.secrets.value(value, agent, masks)
    return {name: "" for name in ambient if name not in kept} | own


def _mcp(server: McpServer | None, masks: Masks) -> dict[str, Any]:
    assert server is not None
    for secret in server.secrets:
        masks.add(secret)
    if server.command is not None:
        return {"type": "stdio", "command": server.command, "args": list(server.args), "env": dict(server.env)}
    return {"type": "http", "url": server.url, "headers": dict(server.headers)}


@lru_cache(maxsize=256)
def _compiled(text: str | None) -> Template:
    return Template.compile(text)


def _template_problems(value: Any, key: str) -> Iterator[str]:
    try:
        template = _compiled(value)
    except InvalidWorkflow as error:
        yield from (f"{key}: {problem.message}" for problem in error.problems)
        return
    yield from (f"{key}: {name!r} is unknown; known: input" for name in sorted(template.references - {"input"}))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.dumps(value)
