"""The scenario that bugs are planted in: one wire, through a bank that is a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from interlock.testing import CrashScenario, World
from tests.crash.planted.teller import BANK

FOLDER = Path(__file__).parent
ONE_WIRE = ("7 to DE-77",)


class Wiring(CrashScenario):
    """One wire by an agent of `tests.crash.planted.teller`.

    Args:
        agent: Name of the agent, which is also its attribute.
        setup: Name of a bug in `tests.crash.planted.bugs`; None plants none.
        first_takes: Seconds that the bank lets the first wire wait for its answer.
        cancels: Whether the reviewer cancels the run in the place of deciding.
    """

    project = FOLDER.parent
    input: dict[str, Any] = {"account": "DE-77", "amount": 7}  # noqa: RUF012
    patience_seconds = 60.0

    def __init__(
        self,
        agent: str,
        setup: str | None = None,
        *,
        first_takes: float = 0.0,
        cancels: bool = False,
    ) -> None:
        self.agent = agent
        self.settings = {"agents": [f"tests.crash.planted.teller:{agent}"]}
        self.setup = f"tests.crash.planted.bugs:{setup}" if setup else None
        self.expects = () if cancels else ONE_WIRE
        self._first_takes = first_takes
        self._cancels = cancels

    @asynccontextmanager
    async def world(self, folder: Path) -> AsyncIterator[World]:
        """Run the bank."""
        program = [sys.executable, str(FOLDER / "bank.py"), str(folder / "wires")]
        process = await asyncio.create_subprocess_exec(
            *program,
            str(self._first_takes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()

        async def effects() -> list[str]:
            async with httpx.AsyncClient() as bank:
                made = (await bank.get(url)).json()
            return [f"{item['amount']} to {item['account']}" for item in made]

        try:
            yield World({BANK: url}, effects)
        finally:
            process.kill()
            await process.communicate()

    async def decide(self, request: Mapping[str, Any], world: World) -> dict[str, Any]:
        """Approve, or cancel; of a lost wire, say what the bank says."""
        if request["kind"] == "question":
            return {"verb": "respond", "result": "yes"}
        if request["kind"] == "outcome":
            made = await world.effects()
            return {"verb": "happened", "result": 1} if made else {"verb": "did_not_happen"}
        return {"verb": "cancel_run" if self._cancels else "approve"}
