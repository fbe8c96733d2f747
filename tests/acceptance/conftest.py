"""One service for the tests that only look from outside; those that kill and restart make their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.service import Service, forked_services, prepare_data, running
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
