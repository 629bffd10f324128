"""A service fails for a while under load: its breaker is one for two worker processes."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from interlock.audit import AuditEvent, EventFilter
from interlock.audit.database import Database
from interlock.audit.store import SqlAuditStore
from interlock.testing.processes import Hosting, WorkerProcess
from interlock.tools import Breaker
from tests.crash.deployments import scripted, settings_in
from tests.crash.flaky import BREAKER, EVERY_SECONDS, SHORT_BREAKER, URL
from tests.integration.tools.test_retry_after import Service, serving
from tests.proofs import progress, write_proof

RUNS = 6
"""Runs at a time, half of them waiting."""


async def outage(server: Client, folder: Path, *, seconds: float, short: bool) -> dict[str, Any]:
    """Let the service fail for some seconds under the load of runs, and return what was seen."""
    suffix, before, after = ("_short", 1.5, 1.0) if short else ("", 8.0, 3.0)
    named = [f"tests.crash.flaky:{name}{suffix}" for name in ("failing", "waiting")]
    for name in ("one", "two"):
        scripted(folder / name, {"conversations": {}})
    url = f"sqlite+aiosqlite:///{folder / 'audit.db'}"
    one = settings_in(folder / "one", server, agents=named, audit={"url": url})
    two = one.model_copy(update={"project_dir": folder / "two"})
    with serving(Service(busy_times=0)) as service:
        workers = [
            await WorkerProcess.start(Hosting(found, {URL: service.url})) for found in (one, two)
        ]
        try:
            for worker in workers:
                await worker.ready()
            handles = await start(
                server, f"{one.temporal.queue_prefix}interlock", before + seconds + after
            )
            await asyncio.sleep(before)  # healthy calls fill the window
            began = fail(service)
            await asyncio.sleep(seconds)
            ended = recover(service)
            progress(f"{len(service.asked_at)} requests until the service works again")
            results = [await handle.result() for handle in handles]
        finally:
            for worker in workers:
                await worker.kill()
    async with Database(url) as database:
        events = await SqlAuditStore(database).events(EventFilter(kind="breaker", limit=1000))
    terms = SHORT_BREAKER if short else BREAKER
    return figures(terms, service, results, events, began, ended)


def fail(service: Service) -> datetime:
    """Let the service fail from now on."""
    service.status, service.busy_times = 503, 10**9
    return datetime.now(UTC)


def recover(service: Service) -> datetime:
    """Let the service work from now on."""
    ended = datetime.now(UTC)
    service.busy_times, service.status = 0, 200
    return ended


async def start(server: Client, queue: str, seconds: float) -> list[WorkflowHandle[Any, Any]]:
    """Start the runs."""
    return [
        await server.start_workflow(
            "AgentWorkflow",
            {
                "agent": "caller_failing" if number % 2 else "caller_waiting",
                "input": {"seconds": seconds},
            },
            id=f"caller-{uuid.uuid4().hex[:12]}",
            task_queue=queue,
            execution_timeout=timedelta(seconds=170),
        )
        for number in range(RUNS)
    ]


def figures(
    terms: Breaker,
    service: Service,
    results: list[dict[str, Any]],
    events: list[AuditEvent],
    began: datetime,
    ended: datetime,
) -> dict[str, Any]:
    """Count what happened in the outage."""
    opened = [event.ended_at for event in events if event.outcome == "open"]
    closed = [event.ended_at for event in events if event.outcome == "closed"]
    assert opened, "the breaker never opened"
    assert len(closed) == 1, "it closed while the service failed, or never"
    inside = [moment for moment in service.asked_at if began <= moment < ended]
    after = [moment for moment in service.asked_at if moment >= ended]
    answers = {
        name: Counter(
            answer
            for number, result in enumerate(results)
            if (number % 2 == 1) is (name == "failing")
            for answer in result["output"]["answers"]
        )
        for name in ("failing", "waiting")
    }
    return {
        "breaker": terms.model_dump(),
        "outage_seconds": round((ended - began).total_seconds(), 2),
        "workers": 2,
        "runs": len(results),
        "calls": sum(len(result["output"]["answers"]) for result in results),
        "answers": answers,
        "requests_during_outage": len(inside),
        "requests_until_it_opened": sum(moment < opened[0] for moment in inside),
        "requests_while_open": sum(moment >= opened[0] for moment in inside),
        "opened_after_seconds": round((opened[0] - began).total_seconds(), 2),
        "first_request_after_recovery_seconds": round((after[0] - ended).total_seconds(), 2),
        "closed_after_recovery_seconds": round((closed[0] - ended).total_seconds(), 2),
        "series": series(service, results, (opened[0], closed[0]), began),
    }


def series(
    service: Service,
    results: list[dict[str, Any]],
    open_between: tuple[datetime, datetime],
    began: datetime,
) -> dict[str, Any]:
    """Everything that happened, in seconds after the outage began."""

    def since(moment: datetime) -> float:
        return round((moment - began).total_seconds(), 3)

    given: dict[str, dict[str, list[float]]] = {"failing": {}, "waiting": {}}
    for number, result in enumerate(results):
        output, caller = result["output"], "failing" if number % 2 else "waiting"
        for moment, answer in zip(output["moments"], output["answers"], strict=True):
            came = since(datetime.fromtimestamp(moment, UTC))
            given[caller].setdefault(answer, []).append(came)
    return {
        "requests": [since(moment) for moment in service.asked_at],
        "open_between": [since(moment) for moment in open_between],
        "answers": given,
    }


def check(found: dict[str, Any]) -> None:
    """Expect few requests while it was open, no failed call of whoever waits, a quick recovery."""
    terms = Breaker.model_validate(found["breaker"])
    probes = found["outage_seconds"] / terms.open_seconds + 1
    # Calls that were under way when it opened, or whose worker did not know it yet, come on top.
    assert found["requests_while_open"] <= probes + RUNS + RUNS / EVERY_SECONDS
    assert set(found["answers"]["waiting"]) == {"done"}
    assert found["answers"]["failing"]["CIRCUIT_OPEN"] > 0
    assert found["closed_after_recovery_seconds"] <= terms.open_seconds + 3


@pytest.mark.timeout(120)
async def test_a_short_outage(server: Client, tmp_path: Path) -> None:
    """A few seconds: the breaker opens, lets probes through, closes, and nobody who waits fails."""
    check(await outage(server, tmp_path, seconds=2.5, short=True))


@pytest.mark.proof
@pytest.mark.timeout(300)
async def test_twenty_seconds(server: Client, tmp_path: Path) -> None:
    """Twenty seconds, with the figures written down."""
    found = await outage(server, tmp_path, seconds=20, short=False)
    check(found)
    write_proof("breaker", found, seeds=[])
