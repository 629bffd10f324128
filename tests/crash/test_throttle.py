"""A throttle is one rate for all workers together, as the calls themselves tell."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client

from interlock.testing.processes import Hosting, WorkerProcess
from tests.crash.deployments import scripted, settings_in
from tests.crash.ticking import PER_SECOND, RECORD

CALLS = 20
BURST = PER_SECOND
"""Calls that the server lets go at once: what a second allows."""


async def test_two_workers_keep_one_rate(server: Client, tmp_path: Path) -> None:
    """Twenty calls take what the limit takes, with two processes that share them."""
    for name in ("one", "two"):
        scripted(tmp_path / name, {"conversations": {}})
    one = settings_in(
        tmp_path / "one",
        server,
        agents=["tests.crash.ticking:ticker"],
        audit={"url": f"sqlite+aiosqlite:///{tmp_path / 'audit.db'}"},
    )
    two = one.model_copy(update={"project_dir": tmp_path / "two"})
    record = {RECORD: str(tmp_path / "record")}
    workers = [await WorkerProcess.start(Hosting(found, record)) for found in (one, two)]
    try:
        for worker in workers:
            await worker.ready()
        result = await server.execute_workflow(
            "AgentWorkflow",
            {"agent": "ticker", "input": {"count": CALLS}},
            id=f"ticker-{uuid.uuid4().hex[:12]}",
            task_queue=f"{one.temporal.queue_prefix}interlock",
            execution_timeout=timedelta(seconds=60),
        )
    finally:
        for worker in workers:
            await worker.kill()
    assert result["output"]["answers"] == list(range(CALLS))
    lines = [line.split() for line in (tmp_path / "record").read_text("utf-8").splitlines()]
    starts = sorted(float(moment) for moment, _ in lines)
    assert len(starts) == CALLS
    assert {int(pid) for _, pid in lines} == {worker.pid for worker in workers}
    # A call is written down a moment after the server has let it go: three quarters are left for
    # certain. Two workers with a rate each would take a third of it.
    assert starts[-1] - starts[0] >= 0.75 * (CALLS - BURST) / PER_SECOND
