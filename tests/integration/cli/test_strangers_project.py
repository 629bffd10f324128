"""What someone has who installed the wheel and knows nothing else."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.proofs import progress, write_proof
from tests.stranger import run

ROOT = Path(__file__).parents[3]


def build_wheel(folder: Path) -> Path:
    """Return the wheel of this checkout."""
    run(ROOT, sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT))
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.mark.proof
@pytest.mark.timeout(2400)
def test_a_project_made_with_only_the_wheel_works(tmp_path: Path) -> None:
    """`interlock init shop` in an empty directory; its `make demo` and `make test` pass, twice."""
    wheel = build_wheel(tmp_path)
    home = tmp_path / "empty"
    home.mkdir()
    run(home, sys.executable, "-m", "venv", str(tmp_path / "venv"))
    tool = str(tmp_path / "venv" / "bin")
    run(home, f"{tool}/python", "-m", "pip", "install", "-q", str(wheel))
    run(home, f"{tool}/interlock", "init", "shop")
    shop = home / "shop"
    demos: list[dict[str, Any]] = []
    tests: list[str] = []
    for _ in range(2):
        told = run(shop, "make", "demo", "ARGS=--yes --json")
        demos.append(json.loads(told[told.index("{\n") if "{\n" in told else told.index("{") :]))
        progress(f"make demo: {demos[-1]['status']}")
        tests.append(run(shop, "make", "test").strip().splitlines()[-1])
        progress(f"make test: {tests[-1]}")
    assert [demo["status"] for demo in demos] == ["completed", "completed"]
    assert [demo["refunds"] for demo in demos] == [1, 1]
    passed = [
        int(found[1]) for found in (re.search(r"(\d+) passed", line) for line in tests) if found
    ]
    assert len(passed) == 2
    assert min(passed) > 0
    found = {"wheel": wheel.name, "demos": demos, "tests_passed": passed}
    write_proof("stranger", found, seeds=[])
