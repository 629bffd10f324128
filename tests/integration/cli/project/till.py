"""A small deployment for the tests of the command line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel
from temporalio import workflow
from typing_extensions import TypedDict

from interlock.agents import agent, model
from interlock.tools import Effect, Risk, ToolCall, tool

with workflow.unsafe.imports_passed_through():
    from interlock.context import CallContext
    from interlock.memory import (
        KnowledgeBatch,
        KnowledgePlan,
        KnowledgePlanRequest,
        KnowledgeReport,
        Put,
    )

_MINUTE = timedelta(minutes=1)


@tool(effect=Effect.READ, local=True)
async def order(order_id: str) -> str:
    """Look an order up."""
    return f"{order_id}: a lamp, 40.00"


@tool(effect=Effect.EXTERNAL, risk=Risk.HIGH)
async def refund(order_id: str, amount: str) -> str:
    """Give money back."""
    return f"{amount} given back for {order_id}"


@tool(effect=Effect.EXTERNAL, timeout_seconds=1)
async def pay_out(order_id: str, amount: str, call: ToolCall) -> dict[str, str]:
    """Pay money out through the bank, a process of its own."""
    import httpx

    body = {
        "order_id": order_id,
        "amount": amount,
        "currency": "EUR",
        "reason": "returned",
        "reference": call.effect_key,
    }
    async with httpx.AsyncClient(base_url=Path("bank.url").read_text()) as bank:  # noqa: ASYNC240
        answer = await bank.post("/refunds", json=body)
    answer.raise_for_status()
    return {"receipt": str(answer.json()["id"])}


class Payment(TypedDict, total=False):
    order_id: str
    amount: str
    receipt: str


async def pay(state: Payment) -> dict[str, Any]:
    """Pay out once."""
    return await pay_out.ainvoke({"order_id": state["order_id"], "amount": state["amount"]})


_cashier = StateGraph(Payment)
_cashier.add_node("pay", pay)
_cashier.add_edge(START, "pay")


class Question(TypedDict, total=False):
    about: str
    answer: str


def ask(state: Question) -> dict[str, Any]:
    """Ask a person."""
    return {"answer": interrupt({"question": f"What about {state['about']}?"})}


_asker = StateGraph(Question)
_asker.add_node("ask", ask)
_asker.add_edge(START, "ask")
_asker.add_edge("ask", END)

clerk = agent("clerk", create_agent(model("fast"), [order, refund]))
asker = agent("asker", _asker)
cashier = agent("cashier", _cashier, tools=[pay_out])


class Refresh(BaseModel):
    """Which folders, and for whom."""

    folders: tuple[str, ...]
    tenant: str = "default"


@workflow.defn
class KnowledgeRefresh:
    """Brings folders into memory."""

    @workflow.run
    async def run(self, refresh: Refresh) -> KnowledgeReport:
        """Do everything in one batch."""
        context = CallContext(agent="knowledge", tenant=refresh.tenant)
        (folder,) = refresh.folders
        plan = await workflow.execute_activity(
            "knowledge.plan",
            KnowledgePlanRequest(folder=folder, context=context),
            result_type=KnowledgePlan,
            start_to_close_timeout=_MINUTE,
        )
        return await workflow.execute_activity(
            "knowledge.apply",
            KnowledgeBatch(folder=folder, steps=plan.steps, context=context),
            result_type=KnowledgeReport,
            start_to_close_timeout=_MINUTE,
        )


SEEDS = [Put(namespace=("intents",), key="refund", value={"intent": "refund"}, index=False)]
