"""Signals that nobody asked for change nothing, fill nothing and shut nobody out."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temporalio.client import Client

from interlock.approvals.contract import ApprovalRequest
from interlock.audit.contract import EventFilter
from interlock.testing import worker_env
from tests.graphs import PAID, everything

UNKNOWN_NAME = ("no_such_signal", {"a": 1})
"""A signal that no handler takes."""
SCRIPT = {
    "conversations": {
        "buy": {"when": "buy", "pick": "match", "steps": [{"answer": {"text": "Shall I?"}}]}
    }
}


def strays(open_request: ApprovalRequest) -> dict[str, tuple[str, Any]]:
    """Signals that a handler takes and refuses, by the code of the refusal."""
    decision = {"request_id": open_request.id, "verb": "respond", "digest": open_request.digest}
    return {
        "UNKNOWN_REQUEST": ("decide", {**decision, "request_id": "x:y"}),
        "DIGEST_MISMATCH": ("decide", {**decision, "digest": "z"}),
        "VERB_NOT_ALLOWED": ("decide", {**decision, "verb": "happened"}),
        "MALFORMED": ("decide", "nonsense"),
        "NOT_A_CONVERSATION": ("send_message", "hello?"),
    }


async def flood(handle: Any, kinds: Sequence[tuple[str, Any]], count: int) -> None:
    """Send `count` signals of some kinds in turn, a hundred at a time."""
    for start in range(0, count, 100):
        batch = [kinds[number % len(kinds)] for number in range(start, start + 100)]
        await asyncio.gather(*(handle.signal(name, value) for name, value in batch))


async def test_two_thousand_strays_and_then_a_decision(
    server: Client, tmp_path: Path, row: Any
) -> None:
    """The run refuses each, records 51, waits on, and takes a right decision by update and signal."""
    account = uuid.uuid4().hex
    async with worker_env(server, tmp_path, agents=[everything()], script=SCRIPT) as env:
        handle = await env.start(
            "everything",
            {"messages": ["buy"], "account": account, "articles": ["lamp", "rug", "vase"]},
        )
        (question,) = await env.pending(handle)
        kinds = strays(question)
        await flood(handle, list(kinds.values()), 2_000)
        await flood(handle, [UNKNOWN_NAME], 100)
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
        ended = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="run"))
        await env.replay(handle)
    assert ended[-1].details["refusals"] == 2_001  # with the wrong decision by update
    assert len(events) == 51
    assert {event.name for event in events[:50]} == set(kinds)
    row("2,000 stray signals to a waiting run").check(events[50].name, events[50].details["why"])
