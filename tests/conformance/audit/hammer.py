"""A process that fights for effects: ``python hammer.py URL KEYS ROUNDS SEED``.

It claims, takes over, settles in time and too late, and answers with one JSON line: everything it
was told, in order.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from interlock.audit.contract import Claim, LedgerState
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.context import CallContext
from interlock.errors import LedgerConflict

_AT_ONCE = 4


def say(thing: object) -> None:
    """Answer the test."""
    sys.stdout.write(json.dumps(thing) + "\n")
    sys.stdout.flush()


class Fighter:
    """Makes random moves and writes down how each ended."""

    def __init__(self, ledger: SqlLedger, keys: int, seed: int) -> None:
        self._ledger = ledger
        self._keys = keys
        self._random = random.Random(seed)
        self._held: list[tuple[str, int]] = []
        self.journal: list[dict[str, Any]] = []

    async def move(self) -> None:
        """Make one move."""
        number = self._random.randrange(self._keys)
        await self._random.choice((self._claim, self._take_over, self._settle, self._settle))(
            number
        )

    async def _claim(self, number: int) -> None:
        claim = Claim(
            effect_key=f"k{number}",
            call_id="c",
            tool="refund",
            arguments={},
            workflow_id="wf",
            context=CallContext(agent="a", lineage="l"),
            deadline=datetime.now(UTC) + timedelta(seconds=30),
            request_id=f"r{number // 2}",  # two effects want one decision
        )
        try:
            found = await self._ledger.claim(claim)
        except LedgerConflict as error:
            self._note("refused", claim.effect_key, held_by=error.details["held_by"])
            return
        if found.won:
            self._hold("claim", claim.effect_key, found.row.token)

    async def _take_over(self, number: int) -> None:
        row = await self._ledger.find(f"k{number}")
        if row is None:
            return
        await asyncio.sleep(0)  # others may move between the look and the takeover
        found = await self._ledger.take_over(row.effect_key, row.token, row.deadline)
        if found.won:
            self._hold("take_over", row.effect_key, found.row.token)

    async def _settle(self, _: int) -> None:
        """Settle something that this process holds, or held once."""
        if not self._held:
            return
        key, token = self._random.choice(self._held)
        states = (LedgerState.DONE, LedgerState.FAILED, LedgerState.FAILED, LedgerState.UNKNOWN)
        state = self._random.choice(states)
        if await self._ledger.settle(key, token, state, result=[key, token]):
            self._note("settle", key, token=token, state=state)

    def _hold(self, what: str, key: str, token: int) -> None:
        self._held.append((key, token))
        self._note(what, key, token=token)

    def _note(self, what: str, key: str, **more: Any) -> None:
        self.journal.append({"what": what, "key": key, **more})


async def main(url: str, keys: int, rounds: int, seed: int) -> None:
    """Open the database when told to, make the moves and tell what came of them."""
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    async with Database(url, busy_seconds=60) as database:
        fighter = Fighter(SqlLedger(database), keys, seed)
        for _ in range(rounds):
            await asyncio.gather(*(fighter.move() for _ in range(_AT_ONCE)))
    say(fighter.journal)


asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
