"""Writes what a proof found to docs/proof/, with all that is needed to judge and repeat it.

`make proof` loads this file as a plugin too: it then shows how far a proof is, and at the end which
files were written.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
_LIBRARIES = ("interlock", "langchain", "langgraph", "temporalio", "chromadb", "sqlalchemy")
_WRITTEN: list[str] = []
_SCREENS: list[pytest.Config] = []


def write_proof(name: str, content: dict[str, Any], *, seeds: Sequence[int]) -> None:
    """Write docs/proof/NAME.json: when, which code, on what machine, and `content`; draw its plots.

    Args:
        name: Name of the proof.
        content: What was tried and found.
        seeds: What its random choices follow from; empty when it tries everything and draws nothing.
    """
    report = {
        "proof": name,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "make proof",
        "commit": _commit(),
        "uncommitted_changes": has_changes(ROOT),
        "seeds": list(seeds),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "versions": {library: version(library) for library in _LIBRARIES},
        },
        **content,
    }
    from tests.plots import PLOTS, draw  # late: tests of samples need no plots

    path = ROOT / "docs" / "proof" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    drawn = draw(name, ROOT) if name in PLOTS else []
    _WRITTEN.extend(file.relative_to(ROOT).as_posix() for file in (path, *drawn))


def progress(text: str) -> None:
    """Show a line on the screen of `make proof`, and nowhere else."""
    for config in _SCREENS:
        capture, screen = map(
            config.pluginmanager.getplugin, ("capturemanager", "terminalreporter")
        )
        with capture.global_and_fixture_disabled():
            screen.write_line(f"  {text}")


def has_changes(root: Path) -> bool:
    """Whether a checkout differs from its commit, proofs aside: a proof may follow others."""
    proofs = [f":(exclude){folder}" for folder in ("docs/proof", "docs/images/proof")]
    return bool(_git(root, "status", "--porcelain", "--", ".", *proofs))


def pytest_configure(config: pytest.Config) -> None:
    """Show progress on the screen of this run, and note the commit whose code it loads."""
    _SCREENS.append(config)
    _commit()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which files were written."""
    terminalreporter.section("proofs")
    for path in _WRITTEN or ["no proof was written"]:
        terminalreporter.write_line(path)


@cache
def _commit() -> str:
    return _git(ROOT, "rev-parse", "HEAD")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
