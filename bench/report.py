"""What a measurement says: one JSON object, tables for a terminal, and the section of the docs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench.systems import BARE, SYSTEMS, TITLES

Report = dict[str, Any]
"""The JSON object."""

BUSY = "50"
"""Concurrency whose figures the ratios compare."""
SETTLED = "50"
"""Turn of the conversation that later ones are compared with."""

BEGIN = '<!-- results: written by `make bench ARGS="--write docs/benchmarks.md"` -->'
END = "<!-- end of results -->"
"""The marks in a document between which results are written."""

TARGETS = {
    "effects_per_s_vs_plugin": "at least 1.3",
    "worker_cpu_per_effect_vs_raw": "at most 1.25",
}
"""What the ratios are meant to become; the history's is named after its last turn."""


class Figure(NamedTuple):
    """A column of the tables."""

    title: str
    key: str
    form: Callable[[float], str]


def _places(number: int) -> Callable[[float], str]:
    return lambda value: f"{value:,.{number}f}"


LOAD = (
    Figure("runs/s", "runs_per_s", _places(1)),
    Figure("effects/s", "effects_per_s", _places(1)),
    Figure("p50 ms", "p50_ms", _places(0)),
    Figure("p99 ms", "p99_ms", _places(0)),
    Figure("worker CPU ms per effect", "worker_cpu_ms_per_effect", _places(2)),
    Figure("server CPU ms per effect", "server_cpu_ms_per_effect", _places(2)),
)
HISTORY = (
    Figure("events per effect", "history_events_per_effect", _places(1)),
    Figure("bytes per effect", "history_bytes_per_effect", _places(0)),
)

_COMPARED = {
    "effects_per_s": "effects_per_s",
    "worker_cpu_per_effect": "worker_cpu_ms_per_effect",
    "server_cpu_per_effect": "server_cpu_ms_per_effect",
}


def ratios(systems: dict[str, Any], sizes: dict[str, float]) -> dict[str, float]:
    """Return how Interlock compares with what it is built on, and late turns with early ones."""
    found: dict[str, float] = {}
    for prefix, mine in (("", "interlock"), ("reads_", "interlock_reads")):
        for other in ("plugin", "raw"):
            for name, key in _COMPARED.items():
                ratio = systems[mine][BUSY][key] / systems[other][BUSY][key]
                found[f"{prefix}{name}_vs_{other}"] = round(ratio, 3)
            ratio = (
                systems[mine]["history_bytes_per_effect"]
                / systems[other]["history_bytes_per_effect"]
            )
            found[f"{prefix}history_bytes_per_effect_vs_{other}"] = round(ratio, 3)
    last = list(sizes)[-1]
    early = SETTLED if SETTLED in sizes else next(iter(sizes))
    found[f"bytes_per_model_call_{last}_vs_{early}"] = round(sizes[last] / sizes[early], 3)
    return found


def titles() -> Iterator[tuple[str, str, str]]:
    """Yield name, title and description of every system, in order."""
    yield (BARE, *TITLES[BARE])
    yield from ((system.name, system.title, system.about) for system in SYSTEMS)


def show(report: Report, console: Console) -> None:
    """Print tables for people."""
    for concurrency in report["plan"]["loads"]:
        table = _table(f"{concurrency} at once", LOAD)
        for name, title, _ in titles():
            table.add_row(title, *_cells(report["systems"][name][concurrency], LOAD))
        console.print(table)
    table = _table("History", HISTORY)
    for name, title, _ in titles():
        table.add_row(title, *_cells(report["systems"][name], HISTORY))
    console.print(table)
    for lines in (_sizes(report), _ratios(report)):
        found = Table(*lines[0], title_justify="left")
        for line in lines[1:]:
            found.add_row(*line)
        console.print(found)
    console.print(_origin(report), highlight=False)


def markdown(report: Report) -> str:
    """Return the section of `docs/benchmarks.md` that a run writes."""
    parts = [_origin(report)]
    for concurrency in report["plan"]["loads"]:
        rows = [["system", *(figure.title for figure in LOAD)]]
        rows += [
            [title, *_cells(report["systems"][name][concurrency], LOAD)]
            for name, title, _ in titles()
        ]
        parts += [f"### {concurrency} at once", _grid(rows)]
    rows = [["system", *(figure.title for figure in HISTORY)]]
    rows += [[title, *_cells(report["systems"][name], HISTORY)] for name, title, _ in titles()]
    parts += ["### History", _grid(rows)]
    parts += ["### History of one model call as a conversation grows", _grid(_sizes(report))]
    parts += [f"### Ratios, at {BUSY} at once", _grid(_ratios(report))]
    return "\n\n".join(parts)


def write_section(path: Path, text: str) -> None:
    """Put `text` between the marks of a document.

    Raises:
        SystemExit: the document has no marks; the message shows them.
    """
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{path} has no place for results. Put these two lines into it:\n{BEGIN}\n{END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _table(title: str, columns: tuple[Figure, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for figure in columns:
        table.add_column(figure.title, justify="right")
    return table


def _cells(values: dict[str, Any], columns: tuple[Figure, ...]) -> list[str]:
    return [
        "-" if values[figure.key] is None else figure.form(values[figure.key]) for figure in columns
    ]


def _sizes(report: Report) -> list[list[str]]:
    sizes: dict[str, float] = report["bytes_per_model_call"]
    return [["turn", *sizes], ["bytes", *(f"{size:,.0f}" for size in sizes.values())]]


def _ratios(report: Report) -> list[list[str]]:
    rows = [
        [name, f"{value:.2f}", TARGETS.get(name, "")] for name, value in report["ratios"].items()
    ]
    return [["ratio", "measured", "target"], *rows]


def _origin(report: Report) -> str:
    machine, plan = report["machine"], report["plan"]
    loads = ", ".join(f"{runs} runs at {c} at once" for c, runs in plan["loads"].items())
    versions = ", ".join(f"{name} {found}" for name, found in report["versions"].items())
    return (
        f"`{report['command']}` on {report['measured_at'][:10]}, commit {report['commit']}. "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gb']:g} GB, "
        f"{machine['os']}; load average before the run {machine['load_before']:g}. "
        f"{plan['rounds']} round(s) of {loads}. {versions}."
    )


def _grid(rows: list[list[str]]) -> str:
    head, *body = rows
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ruler, *body))
