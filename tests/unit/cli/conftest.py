"""The program, called as a test needs it: in a folder of its own, with its streams kept apart."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from interlock.cli.program import app

Interlock = Callable[..., Result]


@pytest.fixture
def interlock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Interlock:
    """Run one command in an empty folder, and say how it ended."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")

    def call(*words: str) -> Result:
        # In a thread, because a command runs an event loop and this one has its own.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(CliRunner().invoke, app, list(words)).result()

    return call
