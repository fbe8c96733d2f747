"""Settings: where they come from, which go first, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest
from dotenv import dotenv_values

from app.settings import Settings, SettingsError, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def _a_bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_example_names_every_setting_and_nothing_else() -> None:
    assert {name.lower() for name in dotenv_values(EXAMPLE)} == set(Settings.model_fields)


def test_the_example_gives_the_defaults(tmp_path: Path) -> None:
    defaults = load_settings()
    (tmp_path / ".env").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    assert load_settings() == defaults


def test_an_override_goes_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PORT=1\nLEASE_SECONDS=1\nJOURNAL_BATCH=1\n", encoding="utf-8")
    monkeypatch.setenv("PORT", "2")
    monkeypatch.setenv("LEASE_SECONDS", "2")
    settings = load_settings(port=3, data_dir=None)
    assert (settings.port, settings.lease_seconds, settings.journal_batch) == (3, 2, 1)


def test_a_secret_is_found_in_the_environment_and_then_in_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("ONE_KEY=file\nTWO_KEY=file$x\nNO_KEY=\n", encoding="utf-8")
    monkeypatch.setenv("ONE_KEY", "environment")
    secret = load_settings().secret
    assert [secret(name) for name in ("ONE_KEY", "TWO_KEY", "NO_KEY", "OTHER_KEY")] == [
        "environment",
        "file$x",
        None,
        None,
    ]


def test_without_a_file_a_secret_is_not_found() -> None:
    assert load_settings().secret("ONE_KEY") is None


@pytest.mark.parametrize(
    ("environment", "dsn"),
    [
        ({}, None),
        ({"DATABASE_URL": "postgres://a@b/c"}, "postgresql://a@b/c"),
        ({"DATABASE_URL": "postgresql+asyncpg://a@b/c"}, "postgresql://a@b/c"),
        ({"POSTGRES_CONNECTION_STRING": "postgresql://a@b/c"}, "postgresql://a@b/c"),
        ({"DATABASE_URL": "postgresql://a@b/c", "DATABASE_HOST": "d"}, "postgresql://a@b/c"),
        ({"DATABASE_HOST": "db"}, "postgresql://backstitch@db:5432/backstitch"),
        (
            {"DATABASE_HOST": "::1", "DATABASE_PASSWORD": "p@/s"},
            "postgresql://backstitch:p%40%2Fs@[::1]:5432/backstitch",
        ),
    ],
)
def test_the_database_is_found_in_every_documented_way(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], dsn: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().database_dsn == dsn


@pytest.mark.parametrize(
    ("name", "value", "durable"),
    [
        ("CHECKPOINTER", "memory", False),
        ("CHECKPOINTER", "POSTGRES", True),
        ("USE_POSTGRES_SAVER", "false", False),
        ("CHECKPOINT_ENABLED", "false", False),
    ],
)
def test_each_switch_of_the_journal_is_heard(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, durable: bool
) -> None:
    monkeypatch.setenv(name, value)
    assert load_settings().is_durable is durable


def test_modules_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODULES", "mine.agents, yours.agents,")
    assert load_settings().modules == ("mine.agents", "yours.agents")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("CHECKPOINTER", "redis"),
        ("DATABASE_URL", "mysql://a:secret@b/c"),
        ("POSTGRES_SCHEMA", 'x"; drop'),
        ("LEASE_SECONDS", "0"),
        ("CHECKPOINT_FREQUENCY", "every_10"),
        ("CHECKPOINT_INTERVAL", "0"),
        ("CHECKPOINT_INTERVAL", "inf"),
        ("RETENTION_DAYS", "0"),
        ("RETENTION_STATUS_DAYS", "running=3"),
        ("RETENTION_STATUS_DAYS", "failed"),
    ],
)
def test_a_wrong_setting_gives_one_line_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    line = str(caught.value)
    assert name in line
    assert "\n" not in line
    assert "secret" not in line


def test_contradicting_switches_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKPOINTER", "memory")
    monkeypatch.setenv("USE_POSTGRES_SAVER", "true")
    with pytest.raises(SettingsError, match="contradict"):
        load_settings()


def test_a_secret_is_a_variable_of_the_environment_or_else_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("A_TOKEN=of the file\nB_TOKEN=of the file\n", encoding="utf-8")
    monkeypatch.setenv("A_TOKEN", "of the environment")
    settings = load_settings()
    assert [settings.secret(name) for name in ("A_TOKEN", "B_TOKEN", "C_TOKEN")] == [
        "of the environment",
        "of the file",
        None,
    ]


def test_an_unknown_override_is_refused() -> None:
    with pytest.raises(SettingsError, match="no such setting: prot"):
        load_settings(prot=1)
