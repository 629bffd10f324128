"""Signals that nobody asked for change nothing, fill nothing and shut nobody out."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

from temporalio.client import Client

from interlock.audit.contract import EventFilter
from interlock.testing import worker_env
from tests.graphs import PAID, everything

STRAYS: list[tuple[str, Any]] = [
    ("decide", {"request_id": "x:y", "verb": "approve", "digest": "z"}),
    ("decide", "nonsense"),
    ("send_message", "hello?"),
    ("no_such_signal", {"a": 1}),
]
RECORDED = ["UNKNOWN_REQUEST", "MALFORMED", "NOT_A_CONVERSATION"]
SCRIPT = {
    "conversations": {
        "buy": {"when": "buy", "pick": "match", "steps": [{"answer": {"text": "Shall I?"}}]}
    }
}


async def flood(handle: Any, count: int) -> None:
    """Send signals of every kind, a hundred at a time."""
    for start in range(0, count, 100):
        kinds = [STRAYS[number % len(STRAYS)] for number in range(start, start + 100)]
        await asyncio.gather(*(handle.signal(name, value) for name, value in kinds))


async def test_two_thousand_strays_and_then_a_decision(
    server: Client, tmp_path: Path, row: Any
) -> None:
    """The run waits on, records 51 refusals, and takes a right decision by update and by signal."""
    account = uuid.uuid4().hex
    async with worker_env(server, tmp_path, agents=[everything()], script=SCRIPT) as env:
        handle = await env.start(
            "everything",
            {"messages": ["buy"], "account": account, "articles": ["lamp", "rug", "vase"]},
        )
        (question,) = await env.pending(handle)
        await flood(handle, 2_000)
        assert await env.open_requests(handle) == [question]
        wrong = await env.decide(handle, question.model_copy(update={"id": "other"}), "approve")
        assert (wrong.accepted, wrong.code) == (False, "UNKNOWN_REQUEST")
        assert (await env.decide(handle, question, "respond", result="yes")).accepted
        (action,) = await env.pending(handle)
        await handle.signal(
            "decide", {"request_id": action.id, "verb": "approve", "digest": action.digest}
        )
        assert (await env.result(handle)).output["receipt"] == "paid 22"
        assert PAID[account] == [22]
        events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="refusal"))
        await env.replay(handle)
    assert len(events) == 51
    assert {event.name for event in events[:50]} == set(RECORDED)
    row("2,000 stray signals to a waiting run").check(events[50].name, events[50].details["why"])
