"""A process that books turns: ``python booker.py URL NAME``. It answers with JSON lines."""

from __future__ import annotations

import asyncio
import json
import sys

from interlock.audit.database import Database
from interlock.audit.limits import SqlLimits
from interlock.audit.metering import Limit

RATE = Limit(tool="crm", key="crm", per_second=10.0)
FEW = Limit(tool="few", key="few", concurrency=4, lease_seconds=600)


def say(thing: object) -> None:
    """Answer the test."""
    sys.stdout.write(json.dumps(thing) + "\n")
    sys.stdout.flush()


async def main(url: str, name: str) -> None:
    """Open the database when told to; book twenty turns, each twice, and take what places there are."""
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    async with Database(url, busy_seconds=60) as database:
        limits = SqlLimits(database)

        async def book(call: str) -> None:
            await asyncio.gather(limits.book(RATE, call), limits.book(RATE, call))

        async def runs(call: str) -> bool:
            return (await limits.admit(FEW, call)).wait_seconds == 0

        calls = [f"{name}-{number}" for number in range(20)]
        await asyncio.gather(*map(book, calls))
        places = await asyncio.gather(*(runs(f"few-{call}") for call in calls))
    running = [call for call, is_running in zip(calls, places, strict=True) if is_running]
    say(running)


asyncio.run(main(sys.argv[1], sys.argv[2]))
