"""Several processes on one database."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

PROCESSES = 3
KEYS = 40


async def test_processes_that_start_at_once_share_one_ledger(url):
    """Processes that open a new database at once migrate it once and win each effect once."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-Werror",
            Path(__file__).with_name("claimer.py"),
            url,
            str(KEYS),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert json.loads(await process.stdout.readline()) == "ready"

    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))

    assert [process.returncode for process in processes] == [0] * PROCESSES
    won = Counter(key for out, _ in answers for key in json.loads(out))
    assert won == Counter(f"k{number}" for number in range(KEYS))
