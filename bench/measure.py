"""The measurement: the parts that were asked for, and where they were measured."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bench.machine import commit, machine, versions
from bench.part import Part, Tell
from bench.parts.approvals import APPROVALS_PART
from bench.parts.calls import CALLS_PART
from bench.parts.history import HISTORY_PART
from bench.parts.recovery import RECOVERY_PART
from bench.parts.systems import SYSTEMS_PART
from bench.parts.throttle import THROTTLE_PART
from bench.plan import Plan

PARTS = {
    part.name: part
    for part in (
        SYSTEMS_PART,
        CALLS_PART,
        HISTORY_PART,
        APPROVALS_PART,
        RECOVERY_PART,
        THROTTLE_PART,
    )
}
"""By name, in the order in which they are measured and shown."""

Report = dict[str, Any]
"""The JSON object: `origin`, the figures of each part by its name, and `ratios`."""


async def measure(plan: Plan, names: Sequence[str], tell: Tell) -> Report:
    """Measure parts and return a report on them."""
    parts = [part for name, part in PARTS.items() if name in names]
    origin = _origin(plan)
    if plan.side_by_side:
        tell("everything at the same time, once")
        every = await asyncio.gather(*(part.measure(plan, tell) for part in parts))
    else:
        every = [await part.measure(plan, tell) for part in parts]
    found = {part.name: figures for part, figures in zip(parts, every, strict=True)}
    return {"origin": origin, **found, "ratios": ratios(found)}


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """Return the ratios that the figures of the parts give."""
    together: dict[str, float] = {}
    for name, figures in found.items():
        together |= PARTS[name].ratios(figures)
    return together


def measured(report: Report) -> dict[str, Part]:
    """Return the parts that a report is on."""
    return {name: part for name, part in PARTS.items() if name in report}


def _origin(plan: Plan) -> dict[str, Any]:
    loads = {str(concurrency): runs for concurrency, runs in plan.loads.items()}
    return {
        "command": f"python -m bench {' '.join(sys.argv[1:])}".strip(),
        "commit": commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "plan": {**dataclasses.asdict(plan), "loads": loads},
    }
