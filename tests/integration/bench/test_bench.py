"""The benchmark's command measures every part, prints one JSON object and fills its page."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.measure import PARTS
from bench.parts.calls import TITLES
from bench.parts.recovery import STATES
from bench.plan import SMOKE
from bench.report import TARGETS
from bench.systems import HOSTED, INSIDE, SYSTEMS

ROOT = Path(__file__).parents[3]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.timeout(600)  # it starts some twenty processes, whatever else the machine does
async def test_the_command_measures_every_part(tmp_path: Path) -> None:
    """Every figure is in the JSON object, every section and plot is written; progress is on stderr."""
    page = shutil.copy(ROOT / "docs" / "benchmarks.md", tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "--smoke", "--json", "--write", str(page)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    report = json.loads(printed)
    assert set(report) == {"origin", "ratios", *PARTS}
    check_systems(report["systems"])
    check_runs(report)
    check_origin(report["origin"])
    wanted = {name for name in TARGETS if "1000" not in name} | {"bytes_per_model_call_14_vs_10"}
    assert wanted <= set(report["ratios"])
    check_page(tmp_path)


def check_systems(found: dict[str, Any]) -> None:
    """All systems ran the graph right, and each has all its figures."""
    assert set(found) == {system.name for system in SYSTEMS}
    with_server = {"langgraph_postgres", "dbos", *(system.name for system in HOSTED)}
    for name, figures in found.items():
        for concurrency in ("1", "10", "50"):
            load = figures[concurrency]
            timed = ("runs_per_s", "effects_per_s", "p50_ms", "p95_ms", "p99_ms")
            assert all(load[key] > 0 for key in timed), name
            assert load["worker_cpu_ms_per_effect"] > 0, name
            assert (load["server_cpu_ms_per_effect"] is not None) == (name in with_server)
        kept = figures["kept_records_per_effect"], figures["kept_bytes_per_effect"]
        assert (None not in kept and min(kept) > 0) if name != "langgraph" else kept == (None, None)
    pausing = {system.name for system in HOSTED if system.pausing} | {s.name for s in INSIDE}
    assert {name for name in found if found[name]["paused_runs"] == SMOKE.paused} == pausing
    assert all(found[name]["worker_mb_per_1000_paused"] is not None for name in pausing)


def check_runs(report: dict[str, Any]) -> None:
    """The parts on runs of Interlock have their figures, and nothing was lost or doubled."""
    assert set(report["calls"]) == {f"{kind}_ms" for kind in TITLES}
    sizes = report["history"]["bytes_per_model_call"]
    assert set(sizes) == {"10", "14"}
    assert all(size > 2 * report["history"]["message_bytes"] for size in sizes.values())
    assert report["approvals"]["decisions"]["p95_ms"] > 0
    herd = report["approvals"]["herd"]
    assert (herd["runs"], herd["effects"]) == (SMOKE.herd, SMOKE.herd)
    assert (herd["lost"], herd["doubled"], herd["unapproved"]) == (0, 0, 0)
    assert herd["while_waiting"]["worker_mb"] > 0
    for state in STATES:
        assert report["recovery"][state]["runs"] == SMOKE.killed_runs
        assert report["recovery"][state]["p95_s_since_kill"] > 0
    for count in SMOKE.workers:
        assert report["throttle"]["workers"][str(count)]["rate_per_s"] > 0


def check_origin(origin: dict[str, Any]) -> None:
    """Machine, versions, command and load say where it was measured."""
    assert {"commit", "machine", "command", "measured_at", "plan"} <= set(origin)
    assert origin["machine"]["load_before"] >= 0
    assert origin["versions"]["temporalio-langgraph"] == "0.1.0"
    assert {"dbos", "postgres", "temporal", "interlock"} <= set(origin["versions"])
    assert all(origin["versions"].values())


def check_page(folder: Path) -> None:
    """Each part has its data, and the page has tables and plots in the place of nothing."""
    text = (folder / "benchmarks.md").read_text(encoding="utf-8")
    assert "Not measured yet." not in text
    for name, part in PARTS.items():
        assert (folder / "bench" / f"{name}.json").is_file()
        for plot in part.plots:
            assert f"(images/bench/{plot}.png)" in text
            assert (folder / "images" / "bench" / f"{plot}.png").read_bytes().startswith(PNG)
