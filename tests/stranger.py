"""Commands as somebody runs them who has nothing of this environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_KEPT = ("PATH", "HOME", "LANG")
_REGISTRY = ("PIP_", "UV_", "HTTP", "http", "NO_PROXY", "no_proxy", "SSL_", "REQUESTS_")
"""Beginnings of variables that say where packages come from."""


def environment() -> dict[str, str]:
    """Return what a stranger's environment has."""
    return {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_REGISTRY)}


def run(folder: Path, *words: str) -> str:
    """Run a command in a folder, expect exit code 0, and return what it prints."""
    done = subprocess.run(
        words, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout
