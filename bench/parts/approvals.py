"""Runs that wait for a person: from decision to effect, and very many that wait at once."""

from __future__ import annotations

import time
import uuid
from typing import Any, NamedTuple

from bench.approving import Handle, approve, asked
from bench.figures import megabytes, spread
from bench.load import load
from bench.part import Figures, Part, Table, Tell, number
from bench.plan import Plan
from bench.processes import WorkerProcess
from bench.stage import Stage, stage
from bench.usage import memory_of

_AT_ONCE = 50
_STEPS = 10
"""Lines of progress for each phase of the herd."""


class Waiting(NamedTuple):
    """A run that waits."""

    key: str
    handle: Handle
    request: dict[str, Any]


async def measure(plan: Plan, tell: Tell) -> Figures:
    """Time decisions one by one, then let very many runs wait and decide on all."""
    async with stage() as set_up, set_up.worker(here=plan.side_by_side) as worker:
        await _decide(set_up, 1)  # the first call of all opens connections
        tell(f"approvals: {plan.decisions} decisions, one after the other")
        seconds = await _decide(set_up, plan.decisions)
        herd = await _herd(set_up, worker, plan.herd, tell)
    return {"decisions": {"runs": plan.decisions, **spread(seconds)}, "herd": herd}


async def _decide(set_up: Stage, count: int) -> list[float]:
    """Return the seconds from sending each decision to its effect at the third party."""
    found = []
    for _ in range(count):
        run = await _waiting(set_up)
        sent = time.monotonic()
        await approve(run.handle, run.request)
        found.append(await set_up.third_party.call(run.key) - sent)
        await run.handle.result()
    return found


async def _waiting(set_up: Stage) -> Waiting:
    key = uuid.uuid4().hex
    handle = await set_up.start("courier", key)
    return Waiting(key, handle, await asked(handle))


async def _herd(set_up: Stage, worker: WorkerProcess, count: int, tell: Tell) -> Figures:
    herd: list[Waiting] = []
    made = len(set_up.third_party.calls)
    step = max(1, count // _STEPS)

    async def wait(_: str) -> None:
        herd.append(await _waiting(set_up))
        if len(herd) % step == 0:
            tell(f"approvals: {len(herd):,} of {count:,} runs wait")

    async def decide(topic: str) -> None:
        run = herd[int(topic.split()[-1])]
        await approve(run.handle, run.request)

    async def end(topic: str) -> None:
        number = int(topic.split()[-1])
        result = await herd[number].handle.result()
        assert result["output"]["done"].endswith(herd[number].key), result
        if (number + 1) % step == 0:
            tell(f"approvals: about {number + 1:,} of {count:,} runs ended")

    def sizes() -> dict[str, float]:
        return {
            "worker_mb": megabytes(memory_of(worker.at)),
            "server_mb": megabytes(memory_of(set_up.server_at)),
            "server_disk_mb": megabytes((set_up.folder / "temporal.db").stat().st_size),
        }

    before = sizes()
    to_wait, _ = await load(wait, runs=count, concurrency=_AT_ONCE)
    while_waiting = sizes()
    assert len(set_up.third_party.calls) == made, "an effect was made before it was approved"
    began = time.monotonic()
    await load(decide, runs=count, concurrency=_AT_ONCE)
    decided = time.monotonic() - began
    await load(end, runs=count, concurrency=_AT_ONCE)
    ended = time.monotonic() - began
    effects = [len(set_up.third_party.calls[run.key]) for run in herd]
    return {
        "runs": count,
        "before": before,
        "while_waiting": while_waiting,
        "after": sizes(),
        "paused_per_s": round(count / to_wait, 1),
        "decided_seconds": round(decided, 2),
        "released_seconds": round(ended, 2),
        "released_per_s": round(count / ended, 1),
        "effects": sum(effects),
        "lost": effects.count(0),
        "doubled": sum(found > 1 for found in effects),
        "unapproved": len(set_up.third_party.calls) - made - count,
    }


def tables(found: Figures) -> list[Table]:
    """Return the way of a decision, and the herd."""
    herd, decisions = found["herd"], found["decisions"]
    way = [
        ["decisions", "p50 ms", "p95 ms", "p99 ms"],
        [str(decisions["runs"]), *(number(decisions[f"p{p}_ms"], 1) for p in (50, 95, 99))],
    ]
    columns = {
        "worker MB": "worker_mb",
        "server MB": "server_mb",
        "server's file MB": "server_disk_mb",
    }
    memory = [["", *columns]]
    memory += [
        [title, *(number(herd[when][key], 0) for key in columns.values())]
        for when, title in (
            ("before", "before"),
            ("while_waiting", "while all wait"),
            ("after", "when all ended"),
        )
    ]
    rates = {
        "runs that wait, per s": ("paused_per_s", 1),
        "seconds to send all decisions": ("decided_seconds", 1),
        "seconds from the first decision to the last end": ("released_seconds", 1),
        "released, per s": ("released_per_s", 1),
        "effects": ("effects", 0),
        "lost": ("lost", 0),
        "doubled": ("doubled", 0),
        "unapproved": ("unapproved", 0),
    }
    released = [["", f"{herd['runs']:,} runs"]]
    released += [[title, number(herd[key], places)] for title, (key, places) in rates.items()]
    return [
        Table("From a decision by signal to its effect", way),
        Table(f"{herd['runs']:,} runs wait at once: memory", memory),
        Table(f"{herd['runs']:,} runs wait at once, then all are allowed", released),
    ]


def ratios(found: Figures) -> dict[str, float]:
    """Return the way of a decision."""
    return {"decision_to_effect_p95_ms": found["decisions"]["p95_ms"]}


APPROVALS_PART = Part(
    name="approvals",
    about="from decision to effect, and very many runs that wait at once",
    measure=measure,
    tables=tables,
    ratios=ratios,
)
