"""Limits over two worker processes, as the calls themselves tell; the whole is a proof."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from interlock.testing.processes import Hosting, WorkerProcess
from tests.crash.deployments import scripted, settings_in
from tests.crash.pacing import CROWDED_PER_SECOND, PER_SECOND, RECORD
from tests.proofs import progress, write_proof

_PATIENCE = timedelta(seconds=240)


class Began(NamedTuple):
    """A call that began."""

    at: float
    pid: int
    name: str


class Site:
    """A deployment with two worker processes."""

    def __init__(self, client: Client, prefix: str, record: Path, pids: set[int]) -> None:
        self.client = client
        self.pids = pids
        self._prefix = prefix
        self._record = record

    async def start(
        self, name: str, tool: str, count: int, tenant: str
    ) -> WorkflowHandle[Any, Any]:
        """Start a run that makes so many calls at once."""
        return await self.client.start_workflow(
            "AgentWorkflow",
            {
                "agent": "pacer",
                "tenant": tenant,
                "input": {"name": name, "tool": tool, "count": count},
            },
            id=f"pacer-{uuid.uuid4().hex[:12]}",
            task_queue=f"{self._prefix}interlock",
            execution_timeout=_PATIENCE,
        )

    def calls(self, *names: str) -> list[Began]:
        """The calls of these names that began, in their order."""
        lines = self._record.read_text("utf-8").splitlines() if self._record.exists() else []
        found = (line.split() for line in lines)
        return sorted(Began(float(at), int(pid), name) for at, pid, name in found if name in names)

    async def backlog(self, tool: str) -> int:
        """About how many calls wait in a tool's queue."""
        request = DescribeTaskQueueRequest(
            namespace=self.client.namespace,
            task_queue=TaskQueue(name=f"{self._prefix}tool.{tool}"),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_stats=True,
        )
        found = await self.client.workflow_service.describe_task_queue(request)
        return found.stats.approximate_backlog_count


@asynccontextmanager
async def site(server: Client, folder: Path) -> AsyncIterator[Site]:
    """Run two workers until the context ends."""
    for name in ("one", "two"):
        scripted(folder / name, {"conversations": {}})
    one = settings_in(
        folder / "one",
        server,
        agents=["tests.crash.pacing:pacer"],
        audit={"url": f"sqlite+aiosqlite:///{folder / 'audit.db'}"},
    )
    two = one.model_copy(update={"project_dir": folder / "two"})
    record = folder / "record"
    workers = [
        await WorkerProcess.start(Hosting(found, {RECORD: str(record)})) for found in (one, two)
    ]
    try:
        for worker in workers:
            await worker.ready()
        pids = {worker.pid for worker in workers}
        yield Site(server, one.temporal.queue_prefix, record, pids)
    finally:
        for worker in workers:
            await worker.kill()


async def paced(found: Site, tool: str, calls: int, runs: int) -> dict[str, Any]:
    """Make calls in some runs, and measure the rate after the burst."""
    name = f"{tool}-{uuid.uuid4().hex[:6]}"
    handles = [await found.start(name, tool, calls // runs, "acme") for _ in range(runs)]
    await asyncio.gather(*(handle.result() for handle in handles))
    began = found.calls(name)
    assert len(began) == calls
    assert {call.pid for call in began} == found.pids
    # The slope of the calls over time: the server's timers fire up to a second late, and two calls
    # taken alone would tell of that.
    metered = [at.at for at in began[PER_SECOND:]]
    rate = statistics.linear_regression(metered, range(len(metered))).slope
    most = max(sum(begin.at <= at.at < begin.at + 1 for at in began) for begin in began)
    return {
        "calls": calls,
        "limit_per_second": PER_SECOND,
        "measured_per_second": round(rate, 4),
        "error": round(rate / PER_SECOND - 1, 5),
        "seconds": round(began[-1].at - began[0].at, 2),
        "most_in_any_second": most,
        "moments": since(began[0].at, began),
    }


async def shared(
    found: Site, many: int, few: int, *, tenants: tuple[str, str], patience: int
) -> dict[str, Any]:
    """Queue many calls of one tenant and then a few of another; tell how those fared.

    Args:
        found: The deployment.
        many: How many calls of the first wait when the second comes.
        few: How many the second makes.
        tenants: Names of the first and the second.
        patience: How many more calls of the first may be made before the second's are counted.
    """
    crowd, guest = (f"{role}-{uuid.uuid4().hex[:6]}" for role in ("crowd", "guest"))
    part = min(2 * many, 100)
    big = [await found.start(crowd, "crowded", part, tenants[0]) for _ in range(2 * many // part)]
    while (queued := await found.backlog("crowded")) < many:  # noqa: ASYNC110  a queue cannot be awaited
        await asyncio.sleep(0.1)
    before, came = len(found.calls(crowd)), time.monotonic()
    small = await found.start(guest, "crowded", few, tenants[1])
    while (  # noqa: ASYNC110  other processes make the calls
        len(found.calls(guest)) < few and len(found.calls(crowd)) < before + patience
    ):
        await asyncio.sleep(0.1)
    theirs = found.calls(guest)
    meanwhile = found.calls(crowd)[before:]
    end = theirs[-1].at if len(theirs) == few else float("inf")
    if len(theirs) == few:
        await small.result()
    for handle in (*big, small):
        await stop(handle)
    return {
        "queued_by_the_first_when_the_second_came": queued,
        "calls_of_the_second": few,
        "limit_per_second": CROWDED_PER_SECOND,
        "made_of_the_second": len(theirs),
        "made_of_the_first_meanwhile": len([at for at, *_ in meanwhile if at <= end]),
        "seconds_from_first_to_last_of_the_second": round(theirs[-1].at - theirs[0].at, 2)
        if theirs
        else None,
        "moments_of_the_first": since(came, meanwhile),
        "moments_of_the_second": since(came, theirs),
    }


def since(start: float, calls: list[Began]) -> list[float]:
    """When calls began, in seconds after a moment."""
    return [round(call.at - start, 3) for call in calls]


def brief(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures without their series."""
    return {name: value for name, value in figures.items() if not isinstance(value, list)}


async def stop(handle: WorkflowHandle[Any, Any]) -> None:
    """End a run that may be over."""
    try:
        await handle.terminate("seen enough")
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Two workers for all samples."""
    async with site(server, tmp_path_factory.mktemp("limits")) as found:
        yield found


@pytest.mark.parametrize("tool", ["by_queue", "by_turns"])
async def test_two_workers_keep_one_rate(shop: Site, tool: str) -> None:
    """Whoever keeps the limit, thirty calls after a burst take the time of its rate."""
    figures = await paced(shop, tool, calls=40, runs=4)
    # A call is written down a moment after it was let go. Two workers with a rate each would need a
    # third of the time.
    assert figures["seconds"] >= 0.6 * 30 / PER_SECOND


async def test_a_tenant_with_many_calls_does_not_starve_another(shop: Site) -> None:
    """The few calls of a second tenant are made among the many of the first, not after them."""
    figures = await shared(shop, 30, 5, tenants=("big", "small"), patience=28)
    assert figures["made_of_the_second"] == 5


@pytest.mark.proof
async def test_proof_of_limits(server: Client, tmp_path: Path) -> None:
    """Two workers and 300 calls at ten a second; 1,000 queued calls of a tenant beside ten."""
    async with site(server, tmp_path) as found:
        progress("300 calls by the server's queue")
        queue = await paced(found, "by_queue", calls=300, runs=10)
        progress(f"300 calls by turns; the queue: {brief(queue)}")
        turns = await paced(found, "by_turns", calls=300, runs=10)
        progress(f"1,000 calls beside 10; turns: {brief(turns)}")
        fair = await shared(found, 1000, 10, tenants=("big", "small"), patience=100)
        progress(f"the same under one fairness key; two keys: {brief(fair)}")
    (tmp_path / "again").mkdir()
    async with site(server, tmp_path / "again") as found:
        unfair = await shared(found, 1000, 10, tenants=("same", "same"), patience=100)
        progress(f"one key: {brief(unfair)}")
    write_proof(
        "limits",
        {
            "workers": 2,
            "database": "SQLite, shared by both",
            "rate": {"by_queue": queue, "by_turns": turns},
            "fairness": {"two_tenants": fair, "one_key_for_both": unfair},
        },
        seeds=[],
    )
    for figures in (queue, turns):
        assert abs(figures["error"]) <= 0.02
    assert fair["made_of_the_second"] == 10
    assert unfair["made_of_the_second"] == 0
