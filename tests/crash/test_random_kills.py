"""Many runs go on while their worker is killed again and again at random moments: each pays once."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest

from interlock.testing.crash.reviewer import Reviewer
from interlock.testing.crash.trial import workers
from interlock.testing.processes import Hosting
from tests.crash.refunds import RefundStage
from tests.crash.test_concurrency import Handle, check_books, start_all
from tests.proofs import progress, write_proof

SEED = 20260301
LIVES_SECONDS = 2.0
"""Longest life of a worker that polls; how long each lives is drawn from the seed."""


class Desk:
    """Approves what each run asks for, but only when its turn has come."""

    def __init__(self, handles: list[Handle]) -> None:
        self._gates = [asyncio.Event() for _ in handles]
        self.reviewers = [
            Reviewer(handle, self._choose(gate))
            for handle, gate in zip(handles, self._gates, strict=True)
        ]

    def release(self, share: float) -> None:
        """Let a share of the runs have their decisions."""
        for gate in self._gates[: round(share * len(self._gates))]:
            gate.set()

    @staticmethod
    def _choose(gate: asyncio.Event) -> Any:
        async def choose(request: dict[str, Any]) -> dict[str, Any]:
            await gate.wait()
            return {"verb": "approve"}

        return choose


async def kill_many(stage: RefundStage, runs: int, kills: int) -> dict[str, Any]:
    """Let runs pay while `kills` workers die, and return what was counted."""
    draw, began = random.Random(SEED), time.monotonic()
    async with stage.shop("sleeper") as shop:
        async with workers(Hosting(shop.settings, shop.environment)) as start:
            queue = f"{shop.settings.temporal.queue_prefix}interlock"
            handles = await start_all(stage.client, queue, runs)
            desk = Desk(handles)
            async with asyncio.TaskGroup() as tasks:
                for reviewer in desk.reviewers:
                    tasks.create_task(reviewer.work())
                for number in range(1, kills + 1):
                    worker = await start()
                    desk.release(number / kills)
                    await asyncio.sleep(draw.uniform(0.0, LIVES_SECONDS))
                    await worker.kill()
                    if number % 25 == 0:
                        progress(f"{number} of {kills} workers killed")
                await start()
                results = await asyncio.gather(*(handle.result() for handle in handles))
        assert {result["status"] for result in results} == {"completed"}
        assert [reviewer.undecided + reviewer.refused for reviewer in desk.reviewers] == [[]] * runs
        decided = {
            handle.id: reviewer.announced
            for handle, reviewer in zip(handles, desk.reviewers, strict=True)
        }
        counts = await check_books(shop, decided)
    seconds = round(time.monotonic() - began, 1)
    return {"runs": runs, "workers_killed": kills, **counts, "seconds": seconds}


@pytest.mark.timeout(300)
async def test_runs_pay_once_while_workers_die(stage: RefundStage) -> None:
    """Ten runs, five workers killed at random moments: ten refunds, each the approved one."""
    await kill_many(stage, 10, 5)


@pytest.mark.proof
@pytest.mark.timeout(7200)
async def test_five_hundred_random_kills(stage: RefundStage) -> None:
    """A hundred runs at once, five hundred workers killed: 25 to 40 minutes on two cores."""
    write_proof("random-kills", await kill_many(stage, 100, 500), seeds=[SEED])
