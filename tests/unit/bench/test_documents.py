"""A page of results is written from the figures of each part, measured together or in pieces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.documents import marks, write
from bench.measure import PARTS

ORIGIN: dict[str, Any] = {
    "command": "python -m bench",
    "commit": "f00",
    "measured_at": "2026-03-02T10:00:00+00:00",
    "machine": {"cpu": "c", "cores": 2, "memory_gb": 8.0, "os": "o", "load_before": 0.25},
    "versions": {"python": "3.11"},
    "plan": {"name": "quick"},
}


def recovery(seconds: float) -> dict[str, Any]:
    """Figures of a recovery."""
    times = dict.fromkeys(("p50_s", "p95_s", "p50_s_since_kill", "p95_s_since_kill"), seconds)
    states = ("waiting", "model_call", "tool_call")
    found = {"kills": 1} | {state: {"runs": 5, **times} for state in states}
    return {"origin": ORIGIN, "recovery": found, "ratios": {}}


def calls(read: float) -> dict[str, Any]:
    """Figures of calls."""
    kinds = ("activity", "look_up", "render", "fetch", "book_effect")
    found = dict.fromkeys((f"{kind}_ms" for kind in kinds), 8.0) | {"look_up_ms": read}
    return {"origin": ORIGIN, "calls": found, "ratios": {}}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with a place for everything."""
    path = tmp_path / "benchmarks.md"
    places = ["\n".join((name, *marks(name))) for name in ("ratios", *PARTS)]
    path.write_text("\n".join(["Before.", *places, "After.\n"]), encoding="utf-8")
    return path


def test_a_part_that_is_measured_alone_leaves_the_others(page: Path) -> None:
    """Its section is replaced, the others and their ratios stay as they were measured."""
    write(recovery(1.25), page)
    write(calls(2.0), page)
    write(recovery(0.75), page)
    text = page.read_text(encoding="utf-8")
    assert "| waiting for approval | 5 | 0.75 | 0.75 | 0.75 | 0.75 |" in text
    assert "1.25" not in text
    assert "| READ, local | 2.00 |" in text
    assert "| recovery_p95_s | 0.75 | under 2 |" in text
    assert "| read_latency_vs_activity | 0.25 | at most 0.33 |" in text
    assert "`python -m bench` (quick) on 2026-03-02, commit f00." in text
    assert "load average before the run 0.25" in text
    assert text.count("Not measured yet.") == len(PARTS) - 2
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    kept = json.loads((page.parent / "bench" / "recovery.json").read_text(encoding="utf-8"))
    assert kept == {"origin": ORIGIN, "figures": recovery(0.75)["recovery"]}


def test_a_page_without_a_place_for_results_is_refused(tmp_path: Path) -> None:
    """Nothing is written, and the message shows the marks that are missing."""
    page = tmp_path / "README.md"
    page.write_text("Nothing here.\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="has no place for results"):
        write(calls(2.0), page)
    assert page.read_text(encoding="utf-8") == "Nothing here.\n"
    assert list(tmp_path.iterdir()) == [page]
