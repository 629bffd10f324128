"""Two small agents for the inbox: one refunds, one asks a question. No model is called."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from interlock.agents import Agent, agent
from interlock.tools import Effect, Risk, tool

PAID: dict[str, list[int]] = defaultdict(list)
"""What `refund` did, by order: the outside world of these tests."""

LINE_BREAKS = "the line breaks"
"""The note of a refund whose answer gets lost."""


class Refund(BaseModel):
    """What is paid back."""

    order: str = Field(min_length=1, description="The order's number.")
    amount: int = Field(gt=0, le=500, description="In euros.")
    note: str = Field(default="", description="What the customer is told.")


@tool(
    effect=Effect.EXTERNAL,
    risk=Risk.HIGH,
    timeout_seconds=3,
    amount="payment.amount",
    undo="Charge the customer again.",
)
async def refund(payment: Refund) -> str:
    """Pay an amount back to a customer."""
    PAID[payment.order].append(payment.amount)
    if payment.note == LINE_BREAKS:
        raise ConnectionError("the line broke")
    return f"paid {payment.amount}"


@tool(effect=Effect.IDEMPOTENT, risk=Risk.MEDIUM)
async def write_to(address: str, text: str) -> str:
    """Write to a customer."""
    return "sent"


class Case(TypedDict, total=False):
    order: str
    amount: int
    text: str
    outcome: str


async def pay_back(case: Case) -> dict[str, Any]:
    """Refunds what the case says."""
    payment = {"order": case["order"], "amount": case["amount"], "note": case.get("text", "")}
    return {"outcome": await refund.ainvoke({"payment": payment})}


async def answer(case: Case) -> dict[str, Any]:
    """Writes to the customer."""
    sent = await write_to.ainvoke({"address": case["order"], "text": case["text"]})
    return {"outcome": sent}


async def wonder(case: Case) -> dict[str, Any]:
    """Asks a person."""
    return {"outcome": str(interrupt({"question": case["text"]}))}


def _one(node: Any) -> StateGraph[Case, None, Case, Case]:
    graph: StateGraph[Case, None, Case, Case] = StateGraph(Case)
    graph.add_node(node.__name__, node)
    graph.add_edge(START, node.__name__)
    graph.add_edge(node.__name__, END)
    return graph


refunder = agent("refunder", lambda: _one(pay_back), tools=[refund])


def agents() -> list[Agent]:
    """Return the agents `refunder`, `writer` and `asker`."""
    return [
        refunder,
        agent("writer", lambda: _one(answer), tools=[write_to]),
        agent("asker", lambda: _one(wonder)),
    ]
