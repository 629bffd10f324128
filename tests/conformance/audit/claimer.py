"""A process that claims effects: ``python claimer.py URL KEYS``. It answers with JSON lines."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from datetime import UTC, datetime, timedelta

from interlock.audit.contract import Claim
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger
from interlock.context import CallContext


def say(thing: object) -> None:
    """Answer the test."""
    sys.stdout.write(json.dumps(thing) + "\n")
    sys.stdout.flush()


async def main(url: str, count: int) -> None:
    """Open the database when told to, claim every key and tell which were won."""
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    keys = [f"k{number}" for number in range(count)]
    random.shuffle(keys)
    async with Database(url, busy_seconds=60) as database:
        ledger = SqlLedger(database)

        async def won(key: str) -> bool:
            claim = Claim(
                effect_key=key,
                call_id="c",
                tool="refund",
                arguments={},
                workflow_id="wf",
                context=CallContext(agent="a"),
                deadline=datetime.now(UTC) + timedelta(seconds=30),
                request_id=f"r-{key}",
            )
            return (await ledger.claim(claim)).won

        answers = await asyncio.gather(*(won(key) for key in keys))
    say(sorted(key for key, yes in zip(keys, answers, strict=True) if yes))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
