"""Steps of a run as lines of text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.text import Text

from interlock.canonical import compact
from interlock.cli.output import line
from interlock.replay.steps import Step
from interlock.replay.telling import told

_LONG = 1200


def step_lines(step: Step, began: datetime, *, details: bool = False) -> list[Text]:
    """Return a step as lines: one, or with `details` also what went in and what came out.

    Args:
        step: What happened.
        began: When the run began; times are shown from then on.
        details: Whether to add inputs and outputs.
    """
    what, more = told(step)
    label, style = _LABELS.get(step.kind, (step.kind, ""))
    seconds = (step.at - began).total_seconds()
    node = str(getattr(step, "node", ""))
    first = line(
        (f"{seconds:8.2f}s  ", "dim"), (f"{label:<10}", style), (f"{node:<14}", "dim"), what
    )
    error = getattr(step, "error", None)
    if error is not None:
        first.append_text(line((f"  {error.code}: {error.message}", "red")))
    return [first, *(_detail(name, value) for name, value in more)] if details else [first]


def _detail(name: str, value: Any) -> Text:
    return line((f"{'':20}{name:>14}  ", "dim"), compact(value, _LONG))


_LABELS = {
    "started": ("start", "bold"),
    "opened": ("open", "dim"),
    "model": ("model", "cyan"),
    "verdict": ("policy", "magenta"),
    "asked": ("waits", "bold yellow"),
    "decided": ("decision", "bold yellow"),
    "withdrawn": ("withdrawn", "yellow"),
    "tool": ("tool", "green"),
    "waited": ("throttle", "yellow"),
    "memory": ("memory", "blue"),
    "cancel_asked": ("cancel", "yellow"),
    "stumbled": ("stumbled", "red"),
    "ended": ("end", "bold"),
}
