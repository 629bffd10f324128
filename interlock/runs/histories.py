"""What recorded runs did, read from the server."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.api.history.v1 import HistoryEvent

from interlock.replay import history
from interlock.replay.reader import StepReader
from interlock.replay.steps import Step
from interlock.runs.client import Runs
from interlock.runs.meaning import explained


async def read_run(runs: Runs, workflow_id: str) -> tuple[list[Step], Sequence[HistoryEvent]]:
    """Return the steps of a run and of all that it continued, and the newest one's events."""
    reader, steps = StepReader(), []
    events: Sequence[HistoryEvent] = ()
    with explained(workflow_id):
        for run_id in await history.runs(runs.client, workflow_id):
            found = await history.fetch(runs.client, workflow_id, run_id)
            events = found.events
            steps += [step for event in events for step in reader.feed(event)]
    return steps, events
