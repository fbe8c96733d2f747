"""One service for the tests that only look from outside; those that kill and restart make their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.service import Service, forked_services, prepare_data, running, two_running
from tests.conftest import shared_folder

if TYPE_CHECKING:
    from collections.abc import Generator

HERE = Path(__file__).parent
LIMITS = {"MAX_BODY_BYTES": 1_000_000, "MAX_VALUE_BYTES": 300_000}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder are acceptance tests."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.acceptance)
            item.add_marker(pytest.mark.no_cover)  # what they try runs in other processes


@pytest.fixture(scope="session", autouse=True)
def prepared_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Services of this run need not each make a PostgreSQL of their own."""
    prepare_data(shared_folder(tmp_path_factory) / "prepared")


@pytest.fixture(scope="session", autouse=True)
def forked() -> Generator[None]:
    """Nor need they each import what they run."""
    with forked_services():
        yield


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service that all share: heartbeats each second, http steps may call this machine."""
    folder = tmp_path_factory.mktemp("shared")
    with running(folder, "measured", SSE_HEARTBEAT_SECONDS=1, HTTP_ALLOW_PRIVATE="true", **LIMITS) as found:
        yield found


@pytest.fixture(scope="module")
def of_module(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service of the module's own, with its SETTINGS."""
    with running(tmp_path_factory.mktemp("module"), **getattr(request.module, "SETTINGS", {})) as found:
        yield found


@pytest.fixture
def mortal(of_module: Service) -> Service:
    """The service of the module, which its tests may kill and stop: each finds one that runs."""
    return of_module.up()


@pytest.fixture(scope="module")
def pair_of_module(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[tuple[Service, Service]]:
    """Two services on one new data folder, started at the same moment, with the SETTINGS_OF_PAIR of the module."""
    settings = getattr(request.module, "SETTINGS_OF_PAIR", {})
    with two_running(tmp_path_factory.mktemp("pair"), **settings) as found:
        yield found


@pytest.fixture
def pair(pair_of_module: tuple[Service, Service]) -> tuple[Service, Service]:
    """The two services of the module, which its tests may kill and stop: each finds two that run."""
    first, second = pair_of_module
    return first.up(), second.up()
