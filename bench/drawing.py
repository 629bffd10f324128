"""How plots are drawn and kept, as PNG. Those of proofs look the same: `tests/plots.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.part import Figures

Draw = Callable[[Figures], Figure]

WIDTH = 9.0
"""Inches of every plot."""
_DPI = 110


def save(plots: Mapping[str, Draw], figures: Figures, folder: Path, *, about: str = "") -> None:
    """Draw plots of figures into a folder, each with `about` in its metadata."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        for name, make in plots.items():
            path = folder / f"{name}.png"
            make(figures).savefig(path, dpi=_DPI, metadata={"Comment": about} if about else None)
