"""The pytest plugin of the crash kit: `pytest --interlock-crash=every-point|random:N|point:NAME`.

pytest loads this file in every run of every project that has Interlock installed, so it imports
nothing of the engine until a test asks for `crash`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from interlock.testing import CrashPlan, CrashReport, CrashScenario

    Crash = Callable[[CrashScenario], CrashReport]

_REPORTS = pytest.StashKey[list[Any]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the crash kit."""
    group = parser.getgroup("interlock", "Interlock's crash kit")
    group.addoption(
        "--interlock-crash",
        metavar="every-point|random:N|point:NAME",
        default=None,
        help="Where crash tests kill things: at every point, at N random ones, or at one. "
        "Without it each scenario runs once, undisturbed.",
    )
    group.addoption(
        "--interlock-crash-seed",
        metavar="S",
        type=int,
        default=0,
        help="What the choice of random points follows from.",
    )
    group.addoption(
        "--interlock-crash-json",
        metavar="PATH",
        type=Path,
        default=None,
        help="Write the reports of all crash tests to a file, as one JSON object by test.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a plan that is none before anything runs, and a file that several would write."""
    config.stash[_REPORTS] = []
    shared = config.getoption("numprocesses", default=None)
    if shared and config.getoption("--interlock-crash-json") is not None:
        raise pytest.UsageError(
            "--interlock-crash-json writes one file, and pytest-xdist runs several processes. "
            "Leave one of them out (`-n 0`)."
        )
    if config.getoption("--interlock-crash") is not None:
        _plan(config)


@pytest.fixture
def crash(request: pytest.FixtureRequest) -> Crash:
    """Give the function that runs a `CrashScenario` and fails the test at a broken invariant."""

    def run(scenario: CrashScenario) -> CrashReport:
        from interlock.testing.crash.kit import check_crashes

        report = asyncio.run(check_crashes(scenario, _plan(request.config)))
        request.config.stash[_REPORTS].append((request.node.nodeid, report))
        if report.breaches or report.tried_nothing:
            pytest.fail(report.text(), pytrace=False)
        return report

    return run


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the JSON file."""
    path: Path | None = session.config.getoption("--interlock-crash-json")
    reports = session.config.stash[_REPORTS]
    if path is None or (not reports and path.exists()):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Any]] = {}
    for test, report in reports:
        found.setdefault(test, []).append(report.model_dump(mode="json"))
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was tried, one line for each scenario."""
    reports = config.stash[_REPORTS]
    if reports:
        terminalreporter.section("interlock crash kit")
    for test, report in reports:
        terminalreporter.write_line(f"{test}: {report.summary()}")


def _plan(config: pytest.Config) -> CrashPlan:
    from interlock.errors import BadInput
    from interlock.testing.crash.plan import CrashPlan

    try:
        return CrashPlan.parse(
            config.getoption("--interlock-crash"), seed=config.getoption("--interlock-crash-seed")
        )
    except BadInput as error:
        raise pytest.UsageError(error.message) from error
