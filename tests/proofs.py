"""Writes what a proof found to docs/proof/, with all that is needed to judge and repeat it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_LIBRARIES = ("interlock", "langchain", "langgraph", "temporalio", "chromadb", "sqlalchemy")


def write_proof(name: str, content: dict[str, Any]) -> None:
    """Write docs/proof/NAME.json: when, which code, on what machine, and `content`."""
    report = {
        "proof": name,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "make proof",
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "versions": {library: version(library) for library in _LIBRARIES},
        },
        **content,
    }
    path = ROOT / "docs" / "proof" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
