"""The benchmark's command runs everything and prints one JSON object."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from bench.report import BEGIN, END, HISTORY, LOAD, write_section
from bench.systems import BARE, NAMES

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(300)  # it starts nine processes, whatever else the machine does
async def test_the_command_prints_every_figure_as_one_json_object() -> None:
    """All systems run the graph right, and each has all its figures; the rest goes to stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "--smoke", "--json"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    report = json.loads(printed)
    assert set(report["systems"]) == set(NAMES)
    for name, figures in report["systems"].items():
        empty = {"server_cpu_ms_per_effect"} if name == BARE else set()
        for concurrency in ("1", "50"):
            found = figures[concurrency]
            assert all(found[figure.key] > 0 for figure in LOAD if figure.key not in empty), name
        if name != BARE:
            assert all(figures[figure.key] > 0 for figure in HISTORY), name
    assert all(ratio > 0 for ratio in report["ratios"].values())
    assert all(size > 2 * 2048 for size in report["bytes_per_model_call"].values())
    assert report["versions"]["temporalio-langgraph"] == "0.1.0"
    assert {"commit", "machine", "command", "measured_at", "plan"} <= set(report)


def test_results_are_written_between_their_marks(tmp_path: Path) -> None:
    """The rest of a document stays as it is, and a second run replaces the first one's results."""
    document = tmp_path / "benchmarks.md"
    document.write_text(f"Before.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n", encoding="utf-8")
    for found in ("first", "second"):
        write_section(document, f"{found} results")
    text = document.read_text(encoding="utf-8")
    assert text == f"Before.\n\n{BEGIN}\n\nsecond results\n\n{END}\n\nAfter.\n"


def test_a_document_without_a_place_for_results_is_refused(tmp_path: Path) -> None:
    """Nothing is written, and the message shows the marks that are missing."""
    document = tmp_path / "README.md"
    document.write_text("Nothing here.\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="has no place for results"):
        write_section(document, "results")
    assert document.read_text(encoding="utf-8") == "Nothing here.\n"
