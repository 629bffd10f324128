"""The floor: a Temporal workflow that calls four activities with the least they need.

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


@workflow.defn(name="Raw")
class Raw:
    """Model, tool, model, tool."""

    @workflow.run
    async def run(self, topic: str) -> list[str]:
        """Return what the four activities answered."""
        notes: list[str] = []
        for name in ("think", "act", "think", "act"):
            answer = await workflow.execute_activity(
                name,
                Step(topic, len(notes)),
                result_type=str,
                start_to_close_timeout=timedelta(seconds=60),
            )
            notes.append(answer)
        return notes
