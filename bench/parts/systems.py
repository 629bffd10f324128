"""Every system in turn, round by round: speed, CPU, what is kept of a run, and paused runs."""

from __future__ import annotations

import json
import statistics
import tempfile
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.figures import megabytes, spread
from bench.graph import EFFECTS, check, check_paused
from bench.inprocess import measured
from bench.load import Kept, Paused, Release, Sample, hold, load
from bench.part import Figures, Part, Table, Tell, number
from bench.plan import Plan
from bench.processes import printed_by, server_process, worker_process
from bench.systems import SYSTEMS, Hosting, Pausing, System
from bench.usage import cpu_of, memory_of
from bench.work import Job, do
from interlock.server import Server

BUSY = "50"
"""Concurrency whose figures the ratios compare."""


@dataclass(frozen=True)
class Round:
    """What one round of one system measured."""

    samples: dict[str, Sample]
    """By concurrency."""
    paused: Paused | None
    kept: Kept | None


async def measure(plan: Plan, tell: Tell) -> Figures:
    """Measure every system in every round."""
    found: dict[str, list[Round]] = {system.name: [] for system in SYSTEMS}

    async def one(system: System, number: int) -> None:
        paused = plan.paused if number == 1 else 0
        found[system.name].append(await _round(system, plan, paused))

    jobs = [
        Job(f"round {number} of {plan.rounds}: {system.name}", partial(one, system, number))
        for number in range(1, plan.rounds + 1)
        for system in SYSTEMS
    ]
    await do(jobs, plan, tell)
    return {name: _figures(rounds) for name, rounds in found.items()}


async def _round(system: System, plan: Plan, paused: int) -> Round:
    with tempfile.TemporaryDirectory() as name:
        if isinstance(system, Hosting):
            return await _on_temporal(system, plan, paused, Path(name))
        return await _inside(system, plan, paused, Path(name))


async def _inside(system: System, plan: Plan, paused: int, folder: Path) -> Round:
    sizes = {"warm_up": plan.warm_up, "paused": paused, "loads": plan.loads}
    # DBOS shuts the executor of its event loop down at its end: always a process of its own.
    if plan.side_by_side and system.name != "dbos":
        found = await measured(system.name, folder, sizes)
    else:
        printed = await printed_by("bench.inprocess", system.name, str(folder), json.dumps(sizes))
        found = json.loads(printed)
    return Round(
        samples={key: Sample(**sample) for key, sample in found["samples"].items()},
        paused=Paused(**found["paused"]) if found["paused"] else None,
        kept=Kept(**found["kept"]) if found["kept"] else None,
    )


async def _on_temporal(system: Hosting, plan: Plan, paused: int, folder: Path) -> Round:
    async with (
        server_process() as (server, server_at),
        worker_process(system.worker, server.address, folder, here=plan.side_by_side) as worker,
    ):
        await _load(system, server, plan.warm_up, 1)
        held = None
        if paused and system.pausing:
            pause = partial(_pause, system, system.pausing, server)
            held = await hold(pause, paused, lambda: (memory_of(worker.at), memory_of(server_at)))
        samples = {}
        for concurrency, runs in plan.loads.items():
            before = cpu_of(worker.at), cpu_of(server_at)
            seconds, latencies = await _load(system, server, runs, concurrency)
            used = cpu_of(worker.at) - before[0], cpu_of(server_at) - before[1]
            samples[str(concurrency)] = Sample(runs, seconds, latencies, *used)
        return Round(samples, held, await _kept(system, server))


async def _load(
    system: Hosting, server: Server, runs: int, concurrency: int
) -> tuple[float, list[float]]:
    async def run(topic: str) -> None:
        handle = await system.start(server.client, uuid.uuid4().hex, topic)
        check(system.notes(await handle.result()), topic)

    return await load(run, runs=runs, concurrency=concurrency)


async def _pause(system: Hosting, pausing: Pausing, server: Server, topic: str) -> Release:
    handle = await pausing.start(server.client, uuid.uuid4().hex, topic)
    reached = await pausing.reached(handle)

    async def release() -> None:
        await pausing.go(handle, reached)
        check_paused(system.notes(await handle.result()), topic)

    return release


async def _kept(system: Hosting, server: Server) -> Kept:
    handle = await system.start(server.client, uuid.uuid4().hex, "order 1")
    await handle.result()
    described = await handle.describe()
    info = described.raw_description.workflow_execution_info
    return Kept(info.history_length, info.history_size_bytes)


def _figures(rounds: list[Round]) -> Figures:
    """Return the figures of one system: medians over the rounds, by concurrency."""
    loads = {
        concurrency: _load_figures([one.samples[concurrency] for one in rounds])
        for concurrency in rounds[0].samples
    }
    kept = rounds[-1].kept
    return {
        **loads,
        "kept_records_per_effect": kept.records / EFFECTS if kept else None,
        "kept_bytes_per_effect": kept.bytes / EFFECTS if kept else None,
        **_paused_figures(rounds[0].paused),
    }


def _load_figures(samples: list[Sample]) -> Figures:
    rates = [sample.runs / sample.seconds for sample in samples]
    on_server = [
        sample.server_cpu / sample.runs for sample in samples if sample.server_cpu is not None
    ]
    rate = statistics.median(rates)
    return {
        "runs": sum(sample.runs for sample in samples),
        "runs_per_s": round(rate, 2),
        "runs_per_s_by_round": [round(found, 2) for found in rates],
        "effects_per_s": round(rate * EFFECTS, 2),
        **spread([second for sample in samples for second in sample.latencies]),
        "worker_cpu_ms_per_effect": _per_effect(
            [sample.worker_cpu / sample.runs for sample in samples]
        ),
        "server_cpu_ms_per_effect": _per_effect(on_server) if on_server else None,
    }


def _per_effect(seconds_per_run: list[float]) -> float:
    return round(statistics.median(seconds_per_run) / EFFECTS * 1e3, 3)


def _paused_figures(paused: Paused | None) -> Figures:
    per_thousand = 1000 / paused.runs if paused else 0.0
    on_server = paused.server_bytes if paused else None
    return {
        "paused_runs": paused.runs if paused else None,
        "worker_mb_per_1000_paused": megabytes(paused.worker_bytes * per_thousand)
        if paused
        else None,
        "server_mb_per_1000_paused": None
        if on_server is None
        else megabytes(on_server * per_thousand),
    }


_LOAD = {
    "runs/s": ("runs_per_s", 1),
    "effects/s": ("effects_per_s", 1),
    "p50 ms": ("p50_ms", 1),
    "p95 ms": ("p95_ms", 1),
    "p99 ms": ("p99_ms", 1),
    "worker CPU ms per effect": ("worker_cpu_ms_per_effect", 2),
    "server CPU ms per effect": ("server_cpu_ms_per_effect", 2),
}
_KEPT = {
    "events or rows per effect": ("kept_records_per_effect", 2),
    "bytes per effect": ("kept_bytes_per_effect", 0),
    "worker MB per 1,000 paused runs": ("worker_mb_per_1000_paused", 1),
    "server MB per 1,000 paused runs": ("server_mb_per_1000_paused", 1),
}
"""Columns: key and places by title."""


def tables(found: Figures) -> list[Table]:
    """Return a table for each concurrency, and one of what a run leaves."""
    concurrencies = [key for key in next(iter(found.values())) if key.isdigit()]
    shown = [
        _table(f"{concurrency} at once", _LOAD, {name: found[name][concurrency] for name in found})
        for concurrency in concurrencies
    ]
    paused = max(figures["paused_runs"] or 0 for figures in found.values())
    return [*shown, _table(f"What is kept of a run, and {paused:,} paused runs", _KEPT, found)]


def _table(title: str, columns: dict[str, tuple[str, int]], found: Figures) -> Table:
    rows = [["", *columns]]
    rows += [
        [
            system.title,
            *(number(found[system.name][key], places) for key, places in columns.values()),
        ]
        for system in SYSTEMS
    ]
    return Table(title, rows)


_COMPARED = {
    "effects_per_s": "effects_per_s",
    "worker_cpu_per_effect": "worker_cpu_ms_per_effect",
    "server_cpu_per_effect": "server_cpu_ms_per_effect",
}


def ratios(found: Figures) -> dict[str, float]:
    """Return how Interlock compares with what it is built on."""
    ratios: dict[str, float] = {}
    for prefix, mine in (("", "interlock"), ("reads_", "interlock_reads")):
        for other in ("plugin", "raw"):
            for name, key in _COMPARED.items():
                ratio = found[mine][BUSY][key] / found[other][BUSY][key]
                ratios[f"{prefix}{name}_vs_{other}"] = round(ratio, 3)
            key = "kept_bytes_per_effect"
            ratio = found[mine][key] / found[other][key]
            ratios[f"{prefix}history_bytes_per_effect_vs_{other}"] = round(ratio, 3)
    return ratios


SYSTEMS_PART = Part(
    name="systems",
    about="every system on one graph: speed, CPU, what is kept, paused runs",
    measure=measure,
    tables=tables,
    ratios=ratios,
    plots=("throughput", "latency"),
)
