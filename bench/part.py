"""A part of the measurement: it can be measured by itself, and says how it is shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.plan import Plan

Figures = dict[str, Any]
"""What a part measured, as JSON."""
Tell = Callable[[str], None]
"""Takes a line of progress."""


class Table(NamedTuple):
    """A table for people."""

    title: str
    rows: list[list[str]]
    """The first is the head; the first cell of each names it."""


@dataclass(frozen=True)
class Part:
    """A part."""

    name: str
    about: str
    measure: Callable[[Plan, Tell], Awaitable[Figures]]
    tables: Callable[[Figures], list[Table]]
    ratios: Callable[[Figures], dict[str, float]]
    """The part's share of `ratios`."""
    plots: tuple[str, ...] = ()
    """Names of the images that `bench.plots` draws of it."""


def number(value: float | None, places: int = 0) -> str:
    """Return a figure as a cell: '-' for one that there is not."""
    return "-" if value is None else f"{value:,.{places}f}"
