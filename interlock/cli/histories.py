"""What recorded runs did, as commands read it from the server or from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from interlock.replay.steps import Step


async def steps_of(source: str) -> list[Step]:
    """Return the steps of a file with a history, or of a run and of all that it continued.

    Raises:
        RunNotFound: there is no such run, and no such file.
    """
    from interlock.replay import history
    from interlock.replay.reader import StepReader
    from interlock.runs.client import Runs

    file = file_of(source)
    if file is None:
        from interlock.runs.histories import read_run

        steps, _ = await read_run(await Runs.connect(), source)
        return steps
    reader = StepReader()
    return [step for event in history.read_file(file).events for step in reader.feed(event)]


def file_of(source: str) -> Path | None:
    """Return the file that an argument names, if there is one."""
    path = Path(source)
    return path if path.is_file() else None
