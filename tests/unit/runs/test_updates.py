"""Updates of one run wait for each other, a few at a time; those of other runs do not."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from interlock.approvals.contract import Decision
from interlock.runs.client import Runs
from interlock.settings import Settings

DECISION = Decision(request_id="c1:d", verb="approve", digest="d")


class Server:
    """Client and runs: updates wait in it until they are let go."""

    def __init__(self) -> None:
        self.waiting: Counter[str] = Counter()
        self.open = asyncio.Event()

    def get_workflow_handle(self, workflow_id: str, *, run_id: str | None) -> Run:
        return Run(self, workflow_id)


class Run:
    """One run."""

    def __init__(self, server: Server, workflow_id: str) -> None:
        self._server, self._id = server, workflow_id

    async def execute_update(self, name: str, *, args: Any, id: str) -> Any:  # noqa: A002
        self._server.waiting[self._id] += 1
        await self._server.open.wait()
        return {"accepted": True, "request_id": "c1:d"}


async def test_a_run_is_sent_few_updates_at_a_time(tmp_path: Path) -> None:
    """Temporal refuses more than ten of a run, for seconds; all of them are answered."""
    server = Server()
    runs = Runs(Settings(project_dir=tmp_path), server)  # type: ignore[arg-type]
    names = ["clicked"] * 50 + ["other"]
    sent = [asyncio.create_task(runs.decide(name, DECISION)) for name in names]
    for _ in range(20):  # until every one of them waits for something
        await asyncio.sleep(0)
    assert server.waiting == {"clicked": 4, "other": 1}
    server.open.set()
    answers = await asyncio.gather(*sent)
    assert [answer.accepted for answer in answers] == [True] * 51
    assert server.waiting == {"clicked": 50, "other": 1}
