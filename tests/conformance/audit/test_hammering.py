"""Many processes fight for the same effects: the ledger says the same to all of them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from interlock.audit.contract import LedgerState
from interlock.audit.database import Database
from interlock.audit.ledger import SqlLedger

PROCESSES, KEYS, ROUNDS = 3, 12, 30


async def fight(url: str) -> list[dict[str, Any]]:
    """Let the processes loose at once and return what all of them were told."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-Werror",
            Path(__file__).with_name("hammer.py"),
            url,
            *map(str, (KEYS, ROUNDS, seed)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**24,
        )
        for seed in range(PROCESSES)
    ]
    for process in processes:
        assert json.loads(await process.stdout.readline()) == "ready"
    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * PROCESSES
    return [note for out, _ in answers for note in json.loads(out)]


async def test_many_processes_never_both_win(url):
    """Each token is won once, only its holder settles, DONE is final, a decision is one effect's."""
    told = await fight(url)
    async with Database(url) as database:
        rows = {row.effect_key: row for row in await SqlLedger(database).rows(limit=1000)}

    won = Counter((note["key"], note["token"]) for note in told if note["what"] in _WINS)
    assert won
    assert set(won.values()) == {1}
    tokens = defaultdict(list)
    for key, token in sorted(won):
        tokens[key].append(token)
    assert tokens == {key: list(range(1, row.token + 1)) for key, row in rows.items()}

    settled = [note for note in told if note["what"] == "settle"]
    assert settled
    for note in settled:
        row = rows[note["key"]]
        if note["state"] == LedgerState.DONE:
            assert (row.state, row.token) == (LedgerState.DONE, note["token"])
            assert row.result == [note["key"], note["token"]]
    done = {note["key"] for note in settled if note["state"] == LedgerState.DONE}
    assert done == {key for key, row in rows.items() if row.state is LedgerState.DONE}
    assert done, "the fight was over before anything was decided"

    refused = {note["key"]: note["held_by"] for note in told if note["what"] == "refused"}
    assert refused
    for key, holder in refused.items():
        assert holder in rows
        assert key not in rows
        assert int(key[1:]) // 2 == int(holder[1:]) // 2


_WINS = ("claim", "take_over")
