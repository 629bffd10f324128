"""The floor: Temporal workflows that call activities with the least they need.

Nothing but Temporal is imported here, since the sandbox loads this module anew for each run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow


@dataclass
class Step:
    """Input of both activities."""

    topic: str
    number: int


async def _call(name: str, topic: str, number: int) -> str:
    answer: str = await workflow.execute_activity(
        name,
        Step(topic, number),
        result_type=str,
        start_to_close_timeout=timedelta(seconds=60),
    )
    return answer


@workflow.defn(name="Raw")
class Raw:
    """Model, tool, model, tool."""

    @workflow.run
    async def run(self, topic: str) -> list[str]:
        """Return what the four activities answered."""
        names = ("think", "act", "think", "act")
        return [await _call(name, topic, number) for number, name in enumerate(names)]


@workflow.defn(name="RawPausing")
class RawPausing:
    """Model, a signal, tool."""

    def __init__(self) -> None:
        self._goes = False

    @workflow.run
    async def run(self, topic: str) -> list[str]:
        """Return what the two activities answered."""
        thought = await _call("think", topic, 0)
        await workflow.wait_condition(lambda: self._goes)
        return [thought, await _call("act", topic, 1)]

    @workflow.signal
    def go(self) -> None:
        """Let it go on."""
        self._goes = True


@workflow.defn(name="RawCalls")
class RawCalls:
    """One activity, many times."""

    @workflow.run
    async def run(self, count: int) -> int:
        """Return how many calls were made, one after the other."""
        for number in range(count):
            await _call("act", "calls", number)
        return count
