"""The contract's small service, and ways to call the command line against it."""

from __future__ import annotations

import functools
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer.main
import typer.testing
from typer.testing import CliRunner

from app.cli.root import app
from tests.cli.contract import Service, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.testing import Result

    Cli = Callable[..., Result]
    Spawn = Callable[..., subprocess.Popen[str]]


# What CliRunner makes of an application anew for each call takes longer than most calls.
typer.testing._get_command = functools.cache(typer.main.get_command)  # pyright: ignore[reportPrivateImportUsage]


@pytest.fixture(scope="session")
def _running() -> Iterator[Service]:
    service = Service()
    yield service
    service.stop()


@pytest.fixture
def service(_running: Service) -> Service:
    """A running service in its first state."""
    _running.state = State()
    if not _running.is_up:
        _running.start()
    return _running


@pytest.fixture
def cli(service: Service) -> Cli:
    """Calls the command line in this process, with the service's url."""

    def call(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, ["--url", service.url, *arguments], input=stdin)

    return call


@pytest.fixture
def spawn(service: Service) -> Iterator[Spawn]:
    """Starts the command line as a process of its own, with the service's url."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "app.cli", "--url", service.url, *arguments]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()
