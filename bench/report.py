"""What a measurement says, in words and tables: for a terminal, and for the documents."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table as Shown

from bench.measure import Report, measured
from bench.part import Part, Table

TARGETS = {
    "effects_per_s_vs_plugin": "at least 1.3",
    "worker_cpu_per_effect_vs_raw": "at most 1.25",
    "read_latency_vs_activity": "at most 0.33",
    "pure_latency_vs_activity": "at most 0.33",
    "bytes_per_model_call_1000_vs_50": "0.9 to 1.1",
    "throttle_error": "at most 0.02",
    "decision_to_effect_p95_ms": "under 100",
    "recovery_p95_s": "under 2",
}
"""What the ratios are meant to become."""


def show(report: Report, console: Console) -> None:
    """Print tables for people."""
    found = [
        table for name, part in measured(report).items() for table in part.tables(report[name])
    ]
    for table in [*found, ratio_table(report["ratios"])]:
        head, *rows = table.rows
        shown = Shown(title=table.title, title_justify="left")
        for place, title in enumerate(head):
            shown.add_column(title, justify="right" if place else "left")
        for row in rows:
            shown.add_row(*row)
        console.print(shown)
    console.print(where(report["origin"]), highlight=False)


def section(part: Part, figures: dict[str, Any], origin: dict[str, Any], images: str) -> str:
    """Return a part's section of the documents, in Markdown.

    Args:
        part: The part.
        figures: What it measured.
        origin: Where and when.
        images: Folder of its plots, as seen from the document.
    """
    blocks = [where(origin)]
    for table in part.tables(figures):
        blocks += [f"**{table.title}**", grid(table)]
    blocks += [f"![{plot}]({images}/{plot}.png)" for plot in part.plots]
    return "\n\n".join(blocks)


def ratio_table(ratios: dict[str, float]) -> Table:
    """Return the ratios with their targets, those that have one first."""
    named = sorted(ratios, key=lambda name: list(TARGETS).index(name) if name in TARGETS else 99)
    rows = [[name, f"{ratios[name]:.3g}", TARGETS.get(name, "")] for name in named]
    return Table("Ratios", [["ratio", "measured", "target"], *rows])


def grid(table: Table) -> str:
    """Return a table in Markdown."""
    head, *body = table.rows
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *body))


def where(origin: dict[str, Any]) -> str:
    """Return where, when, how and with which versions it was measured."""
    machine, plan = origin["machine"], origin["plan"]
    versions = ", ".join(f"{name} {found}" for name, found in origin["versions"].items())
    return (
        f"`{origin['command']}` ({plan['name']}) on {origin['measured_at'][:10]}, commit "
        f"{origin['commit']}. {machine['cores']} cores ({machine['cpu']}), "
        f"{machine['memory_gb']:g} GB, {machine['os']}; load average before the run "
        f"{machine['load_before']:g}. {versions}."
    )
