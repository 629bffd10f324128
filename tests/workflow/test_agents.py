"""Agents written for LangGraph run unchanged in a workflow, pause for people and replay."""

from __future__ import annotations

import uuid

from interlock.testing import WorkerEnv
from tests.graphs import PAID


async def test_hand_written_graph_runs_pauses_and_replays(env: WorkerEnv) -> None:
    """Fan-out, subgraph, goto, sync node, activity node and interrupt give LangGraph's result."""
    account = uuid.uuid4().hex
    handle = await env.start(
        "everything",
        {"messages": ["buy these"], "account": account, "articles": ["lamp", "rug", "vase"]},
    )
    (question,) = await env.pending(handle)
    assert question.kind == "question"
    assert question.payload == {"question": "Shall I buy?", "total": 22}
    await env.decide(handle, question, "respond", result="yes please")
    (action,) = await env.pending(handle)
    assert (action.tool, action.arguments) == ("pay", {"account": account, "amount": 22})
    await env.decide(handle, action, "approve")
    result = await env.result(handle)
    assert result.status == "completed"
    assert result.output == {
        "account": account,
        "articles": ["lamp", "rug", "vase"],
        "prices": [4, 3, 4],
        "total": 22,
        "wish": "yes please",
        "receipt": "paid 22",
    }
    assert PAID[account] == [22]
    await env.replay(handle)


async def test_create_agent_runs_pauses_and_replays(env: WorkerEnv) -> None:
    """The allowed sibling of a waiting tool call runs; the approved call is made once."""
    PAID.pop("once", None)
    handle = await env.start("shopper", "pay once")
    (action,) = await env.pending(handle)
    assert action.id.startswith("c1:")
    await env.decide(handle, action, "approve")
    result = await env.result(handle)
    assert result.reply == "Done."
    assert PAID["once"] == [7]
    assert result.usage.tool_calls == 2
    await env.replay(handle)
