"""What recorded runs did, as commands read it from the server or from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from temporalio.api.history.v1 import HistoryEvent

    from interlock.cli.runs import Runs
    from interlock.replay.steps import Step


async def steps_of(source: str) -> list[Step]:
    """Return the steps of a file with a history, or of a run and of all that it continued.

    Raises:
        RunNotFound: there is no such run, and no such file.
    """
    from interlock.cli.runs import Runs
    from interlock.replay import history
    from interlock.replay.reader import StepReader

    file = file_of(source)
    if file is None:
        steps, _ = await read_run(await Runs.connect(), source)
        return steps
    reader = StepReader()
    return [step for event in history.read_file(file).events for step in reader.feed(event)]


def file_of(source: str) -> Path | None:
    """Return the file that an argument names, if there is one."""
    path = Path(source)
    return path if path.is_file() else None


async def read_run(runs: Runs, workflow_id: str) -> tuple[list[Step], Sequence[HistoryEvent]]:
    """Return the steps of a run and of all that it continued, and the newest one's events."""
    from interlock.cli.temporal import explained
    from interlock.replay import history
    from interlock.replay.reader import StepReader

    reader, steps = StepReader(), []
    events: Sequence[HistoryEvent] = ()
    with explained(workflow_id):
        for run_id in await history.runs(runs.client, workflow_id):
            found = await history.fetch(runs.client, workflow_id, run_id)
            events = found.events
            steps += [step for event in events for step in reader.feed(event)]
    return steps, events
