"""The assistant: LangChain's `create_agent` with the shop's tools, on real parts."""

from __future__ import annotations

from tests.integration.application.copilot.shop import Shop


async def test_it_reads_searches_asks_and_answers(shop: Shop) -> None:
    """Two reads at once, a refund that a person approves, and the answer; the run replays."""
    handle = await shop.env.start("assistant", "for the assistant: refund my vase, A-1039")
    (action,) = await shop.env.pending(handle)
    assert (action.tool, action.arguments["amount"]) == ("refund", "54.90")
    transcript = await handle.query("transcript")
    told = {m["data"]["name"]: m["data"]["content"] for m in transcript if m["type"] == "tool"}
    assert "HL-VASE-MARRAM" in told["order_lookup"]
    assert "damaged-on-arrival" in told["knowledge_search"]
    await shop.env.decide(handle, action, "approve")
    result = await shop.env.result(handle)
    assert result.reply == "Your money is on its way."
    assert (result.usage.model_calls, result.usage.tool_calls) == (3, 3)
    assert len(await shop.payments.refunds(order_id="A-1039")) == 1
    await shop.env.replay(handle)
