"""The documents' share: figures of each part as data, and sections and plots that follow from them.

A part that is measured again replaces its data; everything else is written anew from what is there.
So a long measurement can be made in pieces.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.measure import PARTS, Report, measured, ratios
from bench.plots import draw
from bench.report import grid, ratio_table, section

RATIOS = "ratios"
"""Name of the section that all parts share."""
_NOTHING = "Not measured yet."


def write(report: Report, document: Path) -> None:
    """Keep the figures of a report, and write the sections and plots of a document anew.

    Args:
        report: What was measured.
        document: A page with a pair of marks for each part and for the ratios. Data goes to the
            folder `bench` beside it, plots to `images/bench`.

    Raises:
        SystemExit: a pair of marks is missing; the message shows it, and nothing is written.
    """
    data, images = document.parent / "bench", document.parent / "images" / "bench"
    kept = _kept(data) | {
        name: {"origin": report["origin"], "figures": report[name]} for name in measured(report)
    }
    sections = _sections(kept, images.relative_to(document.parent).as_posix())
    text = document.read_text(encoding="utf-8")
    for name, content in sections.items():
        text = replaced(text, name, content, document)
    data.mkdir(parents=True, exist_ok=True)
    for name in measured(report):
        path = data / f"{name}.json"
        path.write_text(json.dumps(kept[name], indent=1) + "\n", encoding="utf-8")
    images.mkdir(parents=True, exist_ok=True)
    for name in measured(report):
        draw(name, report[name], images)
    document.write_text(text, encoding="utf-8")


def marks(name: str) -> tuple[str, str]:
    """Return the lines between which a section is written."""
    return f"<!-- results of {name}: written by `make bench` -->", f"<!-- end of {name} -->"


def replaced(text: str, name: str, content: str, document: Path) -> str:
    """Return a page with another section between its marks.

    Raises:
        SystemExit: it has no such marks; the message shows them.
    """
    begin, end = marks(name)
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        sys.exit(
            f"{document} has no place for results. Put these two lines into it:\n{begin}\n{end}"
        )
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def _kept(data: Path) -> dict[str, Any]:
    found = {name: data / f"{name}.json" for name in PARTS}
    return {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name, path in found.items()
        if path.is_file()
    }


def _sections(kept: dict[str, Any], images: str) -> dict[str, str]:
    found = {
        name: section(part, kept[name]["figures"], kept[name]["origin"], images)
        if name in kept
        else _NOTHING
        for name, part in PARTS.items()
    }
    together = ratios({name: kept[name]["figures"] for name in PARTS if name in kept})
    return {RATIOS: grid(ratio_table(together)) if together else _NOTHING, **found}
