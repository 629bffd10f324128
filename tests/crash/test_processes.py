"""The worker processes that the other tests kill."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest
from temporalio.client import Client

from interlock.connection import data_folder
from interlock.context import CallContext
from interlock.testing.killing import Killer, KillInCall, calls_made
from interlock.testing.processes import Hosting, WorkerProcess
from interlock.tools.contract import ToolCall
from tests.crash.deployments import scripted, settings_in

_PATIENCE = 60.0

PARENT = """
import asyncio, sys
from interlock.testing.processes import Hosting, WorkerProcess
from interlock.settings import Settings

async def main():
    settings = Settings.model_validate_json(sys.argv[1])
    worker = await WorkerProcess.start(Hosting(settings))
    await worker.ready()
    print(worker.pid, flush=True)
    await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_a_killed_worker_is_gone(server: Client, tmp_path: Path) -> None:
    """It says when it is ready; SIGKILL ends it, twice is no error, and the exit code tells."""
    scripted(tmp_path / "project", {"conversations": {}})
    worker = await WorkerProcess.start(Hosting(settings_in(tmp_path / "project", server)))
    await worker.ready()
    assert psutil.pid_exists(worker.pid)
    await worker.kill()
    await worker.kill()
    assert await worker.gone() == -signal.SIGKILL
    assert not psutil.pid_exists(worker.pid)


async def test_a_worker_that_cannot_start_says_where_its_log_is(
    server: Client, tmp_path: Path
) -> None:
    """A wrong reference ends the process, `ready` raises, and the log names what is wrong."""
    scripted(tmp_path / "project", {"conversations": {}})
    settings = settings_in(tmp_path / "project", server, agents=["tests.crash.pair:nobody"])
    worker = await WorkerProcess.start(Hosting(settings))
    with pytest.raises(RuntimeError, match=r"worker\.log"):
        await worker.ready()
    assert await worker.gone() == 1
    assert "nobody" in (data_folder(settings) / "worker.log").read_text(encoding="utf-8")


@pytest.mark.proof  # two processes import everything anew
async def test_a_worker_ends_with_its_parent(server: Client, tmp_path: Path) -> None:
    """A killed test run leaves no worker behind."""
    scripted(tmp_path / "project", {"conversations": {}})
    script = tmp_path / "parent.py"
    script.write_text(PARENT, encoding="utf-8")
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        settings_in(tmp_path / "project", server).model_dump_json(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(_PATIENCE):
        worker = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    gone, _ = await asyncio.to_thread(psutil.wait_procs, [worker], timeout=_PATIENCE)
    assert gone == [worker]


async def test_calls_are_counted_and_the_mark_saves_the_next_worker(tmp_path: Path) -> None:
    """Each call that is begun is noted; a worker that finds the mark does not kill itself."""
    (tmp_path / "struck").touch()
    killer = Killer(KillInCall("refund", "before_call"), tmp_path)
    call = ToolCall(
        call_id="c1", tool="refund", arguments={}, effect_key="k1", context=CallContext(agent="a")
    )
    assert calls_made(tmp_path) == []
    for point in ("before_claim", "before_call", "after_call", "before_call"):
        await killer.probe(point, call)
    assert calls_made(tmp_path) == ["refund", "refund"]
