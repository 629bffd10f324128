"""A Temporal server whose clock jumps to the next timer when a test lets it."""

from __future__ import annotations

import gc
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

forgotten_runs = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""For tests on this server: each jump is longer than a worker may take to ask for the next task of a
run that it remembers, so it forgets the run, in the middle of its graph, and replays it."""


@asynccontextmanager
async def skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """Run the server until the context ends."""
    path = shutil.which("temporal-test-server", path=str(Path(sys.executable).parent))
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=path
    ) as server:
        yield server
    gc.collect()  # what was forgotten is told now, and not in another test
