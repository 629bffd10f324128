"""How exactly one limit is kept by one, two and four workers that share it."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack

from bench.couriers import PER_SECOND
from bench.part import Figures, Part, Table, Tell, number
from bench.plan import Plan
from bench.stage import Stage, stage

BURST = PER_SECOND
"""Calls that the server lets go at once after a rest: they are no part of the rate."""
WARM_UP = 2 * BURST
"""Calls before the first measurement: a worker's first call opens what the others use."""


async def measure(plan: Plan, tell: Tell) -> Figures:
    """Make the calls with each number of workers."""
    found: Figures = {"limit_per_s": PER_SECOND, "calls": plan.throttled, "workers": {}}
    async with stage() as set_up, AsyncExitStack() as every:
        stacks = [await every.enter_async_context(AsyncExitStack()) for _ in range(plan.workers[0])]
        await asyncio.gather(
            *(
                stack.enter_async_context(set_up.worker(f"worker-{place}", here=plan.side_by_side))
                for place, stack in enumerate(stacks)
            )
        )
        await _calls(set_up, WARM_UP)
        for count in plan.workers:
            for surplus in stacks[count:]:
                await surplus.aclose()
            tell(f"throttle: {plan.throttled} calls with {count} worker(s)")
            found["workers"][str(count)] = throttle_figures(await _calls(set_up, plan.throttled))
    return found


async def _calls(set_up: Stage, count: int) -> list[float]:
    """Return when the calls came to the third party, from the first on."""
    key = uuid.uuid4().hex
    handle = await set_up.start("ringer", key, count=count)
    await handle.result()
    came = set_up.third_party.calls
    moments = sorted(moment for number in range(count) for moment in came[f"{key}-{number}"])
    assert len(moments) == count, f"{len(moments)} calls came, and not {count}"
    return [moment - moments[0] for moment in moments]


def throttle_figures(moments: list[float]) -> Figures:
    """Return the rate that calls kept, from the moments they came at, the first at 0."""
    steady = moments[BURST:]
    rate = (len(steady) - 1) / (steady[-1] - steady[0])
    return {
        "rate_per_s": round(rate, 3),
        "error": round(abs(rate / PER_SECOND - 1), 4),
        "most_in_a_second": max(
            sum(begin <= moment < begin + 1 for moment in steady) for begin in steady
        ),
        "moments": [round(moment, 3) for moment in moments],
    }


def tables(found: Figures) -> list[Table]:
    """Return the rates by number of workers."""
    rows = [["workers", "calls per s", "off the limit", "most calls in a second"]]
    rows += [
        [
            count,
            number(figures["rate_per_s"], 2),
            f"{figures['error']:.1%}",
            str(figures["most_in_a_second"]),
        ]
        for count, figures in sorted(found["workers"].items(), key=lambda item: int(item[0]))
    ]
    return [Table(f"{found['calls']} calls at a limit of {found['limit_per_s']}/s", rows)]


def ratios(found: Figures) -> dict[str, float]:
    """Return the largest error."""
    return {"throttle_error": max(figures["error"] for figures in found["workers"].values())}


THROTTLE_PART = Part(
    name="throttle",
    about="how exactly several workers keep one limit",
    measure=measure,
    tables=tables,
    ratios=ratios,
    plots=("throttle",),
)
