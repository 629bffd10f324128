"""The plots of the documents, as PNG."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.drawing import WIDTH, Draw, save
from bench.part import Figures
from bench.systems import SYSTEMS


def draw(part: str, figures: Figures, folder: Path) -> None:
    """Draw the plots of a part into a folder."""
    save(_PLOTS.get(part, {}), figures, folder)


def _throughput(found: Figures) -> Figure:
    """Draw effects a second by system, a panel for each concurrency."""
    figure, panels = _panels(found)
    for panel, concurrency in panels:
        rates = [found[system.name][concurrency]["effects_per_s"] for system in SYSTEMS]
        bars = panel.barh([system.title for system in SYSTEMS], rates, color=_colours())
        panel.bar_label(bars, fmt="%.0f", padding=2)
        panel.set_title(f"{concurrency} at once")
        panel.set_xlabel("effects per second (log)")
        panel.set_xscale("log")
        panel.invert_yaxis()
    return figure


def _latency(found: Figures) -> Figure:
    """Draw p50, p95 and p99 of a run by system, a panel for each concurrency."""
    figure, panels = _panels(found)
    for panel, concurrency in panels:
        for percent, marker in (("p50", "o"), ("p95", "s"), ("p99", "^")):
            times = [found[system.name][concurrency][f"{percent}_ms"] for system in SYSTEMS]
            panel.plot(times, [system.title for system in SYSTEMS], marker, label=percent)
        panel.set_title(f"{concurrency} at once")
        panel.set_xlabel("ms per run (log)")
        panel.set_xscale("log")
        panel.grid(axis="y", alpha=0.3)
        panel.invert_yaxis()
    panels[0][0].legend(loc="lower left")
    return figure


def _history(found: Figures) -> Figure:
    """Draw the bytes of each turn of the conversation."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    panel = figure.subplots()
    turns, sizes = zip(*found["by_turn"], strict=True)
    panel.plot(turns, [size / 1024 for size in sizes], ".", markersize=2)
    panel.set_yscale("log")
    panel.set_xlabel("turn")
    panel.set_ylabel("KB of history (log)")
    panel.set_title("History of one turn of two messages of 2 KB; a peak is a new run of the chain")
    return figure


def _throttle(found: Figures) -> Figure:
    """Draw the calls that have come by time, and the limit."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    panel = figure.subplots()
    longest = 0.0
    for count, figures in sorted(found["workers"].items()):
        moments = figures["moments"]
        longest = max(longest, moments[-1])
        panel.step(moments, range(1, len(moments) + 1), where="post", label=f"{count} worker(s)")
    limit = found["limit_per_s"]
    panel.plot([0, longest], [limit, limit + longest * limit], "k--", label="burst and limit")
    panel.set_xlabel("seconds since the first call")
    panel.set_ylabel("calls")
    panel.set_title(f"{found['calls']} calls at a limit of {limit}/s")
    panel.legend()
    return figure


def _panels(found: Figures) -> tuple[Figure, list[tuple[Axes, str]]]:
    concurrencies = [key for key in next(iter(found.values())) if key.isdigit()]
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    every = figure.subplots(1, len(concurrencies), sharey=True, squeeze=False)[0]
    return figure, list(zip(every, concurrencies, strict=True))


def _colours() -> list[str]:
    return [
        "tab:orange" if system.name.startswith("interlock") else "tab:gray" for system in SYSTEMS
    ]


_PLOTS: dict[str, dict[str, Draw]] = {
    "systems": {"throughput": _throughput, "latency": _latency},
    "history": {"history": _history},
    "throttle": {"throttle": _throttle},
}
"""By part and name."""
