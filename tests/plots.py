"""The plots of proofs, from what is written in docs/proof/ and nothing else.

`make proof` draws those of a proof when it is written. `python -m tests.plots` draws all anew.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.drawing import WIDTH, Draw, save

ROOT = Path(__file__).parents[1]


def draw(proof: str, root: Path = ROOT) -> list[Path]:
    """Draw the plots of a proof to docs/images/proof/, and return their files.

    Each has the digest of what it was drawn from in its metadata.
    """
    source, folder = root / "docs" / "proof" / f"{proof}.json", root / "docs" / "images" / "proof"
    folder.mkdir(parents=True, exist_ok=True)
    written = source.read_bytes()
    save(PLOTS[proof], json.loads(written), folder, about=digest(written))
    return [folder / f"{name}.png" for name in PLOTS[proof]]


def digest(written: bytes) -> str:
    """Return what tells one writing of a proof from another."""
    return f"sha256:{hashlib.sha256(written).hexdigest()}"


def _rate(found: dict[str, Any]) -> Figure:
    """Draw the calls that were made by time, and the limit."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    panel = figure.subplots()
    figures = found["rate"]
    limit = figures["by_queue"]["limit_per_second"]
    longest = max(figures[name]["moments"][-1] for name in figures)
    for name, title in (("by_queue", "by the server's queue"), ("by_turns", "by turns")):
        _calls(panel, figures[name]["moments"], title, figures[name]["moments"][-1])
    panel.plot([0, longest], [limit, limit + longest * limit], "k--", label="burst and limit")
    panel.set_xlabel("seconds since the first call")
    panel.set_ylabel("calls made")
    panel.set_title(
        f"{figures['by_queue']['calls']} calls at a limit of {limit}/s, {found['workers']} workers"
    )
    panel.legend()
    return figure


def _fairness(found: dict[str, Any]) -> Figure:
    """Draw the calls of a tenant with many and of one with few, a panel for each way of keys."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    panels = figure.subplots(1, 2)
    ways = {"two_tenants": "a key for each tenant", "one_key_for_both": "one key for both"}
    for panel, (way, title) in zip(panels, ways.items(), strict=True):
        figures = found["fairness"][way]
        many, few = figures["moments_of_the_first"], figures["moments_of_the_second"]
        queued = figures["queued_by_the_first_when_the_second_came"]
        _calls(panel, many, f"tenant with {queued:,} calls queued", max(many + few))
        of_few = f"tenant with {figures['calls_of_the_second']} calls"
        _calls(panel, few, of_few, max(many + few))
        panel.set_title(f"{title}, {figures['limit_per_second']}/s")
        panel.set_xlabel("seconds since the second tenant came")
        panel.legend()
        panel.set_ylabel("calls made since")
    return figure


def _outage(found: dict[str, Any]) -> Figure:
    """Draw each request at the service and each answer to a caller, beside the breaker."""
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    panel = figure.subplots()
    series = found["series"]
    rows = {"request at the service": series["requests"]}
    for caller, title in (("failing", "fail"), ("waiting", "wait")):
        for answer, moments in series["answers"][caller].items():
            rows[f"{answer} (while_open = {title})"] = moments
    for place, moments in enumerate(rows.values()):
        panel.plot(moments, [place] * len(moments), "|", markersize=12)
    panel.set_yticks(range(len(rows)), list(rows))
    panel.axvspan(0, found["outage_seconds"], color="tab:red", alpha=0.12, label="service fails")
    opened, closed = series["open_between"]
    panel.axvspan(opened, closed, ymin=0.94, color="black", label="breaker is open")
    panel.set_ylim(len(rows) + 0.3, -0.9)
    panel.set_xlabel("seconds since the service began to fail")
    panel.set_title(f"A service fails for {found['outage_seconds']:.0f} s, {found['runs']} runs")
    panel.legend(loc="lower left", ncols=2)
    return figure


def _calls(panel: Axes, moments: list[float], label: str, end: float) -> None:
    """Draw how many calls there were by time, up to the end of what was seen."""
    counts = [*range(len(moments) + 1), len(moments)]
    panel.step([0.0, *moments, end], counts, where="post", label=label)


PLOTS: dict[str, dict[str, Draw]] = {
    "breaker": {"outage": _outage},
    "limits": {"rate": _rate, "fairness": _fairness},
}
"""By proof and name."""


if __name__ == "__main__":
    for name in PLOTS:
        draw(name)
