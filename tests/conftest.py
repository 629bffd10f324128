"""Shared parts of the suite: one Temporal server for each test process."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import settings

from interlock.cli.leaving import leave

if TYPE_CHECKING:
    from temporalio.client import Client

settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server() -> AsyncIterator[Client]:
    """A client of a real Temporal server that lives as long as the test process."""
    from interlock.server import running_server  # late: many a test needs no server

    async with running_server() as running:
        yield running.client


FIRST = (
    "tests/crash/",
    "tests/integration/bench/",
    "tests/integration/crash_kit/",
    "tests/integration/demo/",
)
"""Files whose tests take longest: begun last, one of them would keep a whole process waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


SKIPPED: list[str] = []
EXIT = pytest.StashKey[int]()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Take note of a test that was skipped."""
    if report.skipped:
        SKIPPED.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Take note of a file that was skipped as a whole."""
    if report.skipped:
        SKIPPED.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI every test has to run: a skipped one fails the suite."""
    if os.environ.get("CI") and SKIPPED and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    session.config.stash[EXIT] = int(session.exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End without tearing the interpreter down under the Temporal SDK: see `interlock.cli.leaving`."""
    is_xdist_worker = hasattr(config, "workerinput")
    if "temporalio" in sys.modules and EXIT in config.stash and not is_xdist_worker:
        leave(config.stash[EXIT])
