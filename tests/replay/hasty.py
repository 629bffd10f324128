"""The support copilot as somebody changed it in haste: its refund node reckons with a yes only."""

from __future__ import annotations

from langgraph.graph import StateGraph

from agents.support.acting import reason_for
from agents.support.extracting import extract_wish, refund_amount
from agents.support.graph import build
from agents.support.state import SupportInput, SupportState
from interlock.agents import agent
from tools.contracts import TOOLS, refund


async def act_refund(state: SupportState) -> SupportState:
    """Ask for the refund, and take for granted that it can be made."""
    order = state["order"]
    wish = await extract_wish(order, state["said"])
    arguments = {
        "order_id": order["order_id"],
        "amount": str(refund_amount(wish, order, state["said"])),
        "reason": reason_for(state),
    }
    made = await refund.ainvoke(arguments)
    return {
        "done": {
            "action": "refund",
            "outcome": "done",
            "arguments": arguments,
            "result": made.model_dump(mode="json"),
            "why": "",
        }
    }


def _build() -> StateGraph[SupportState, None, SupportInput, SupportState]:
    graph = build()
    del graph.nodes["act_refund"]
    graph.add_node("act_refund", act_refund)
    return graph


hasty = agent("hasty", _build, tools=TOOLS)
"""A run of it fails when a reviewer edits the refund to more than was paid."""
