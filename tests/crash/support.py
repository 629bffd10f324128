"""The support copilot as the crash tests host it: the real graph and tools, short timeouts.

A lost attempt's ledger row is taken over after the tool's timeout, so short ones make short tests.
"""

from __future__ import annotations

from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from agents.support.graph import build
from interlock.agents import Agent, agent
from interlock.tools import Effect, Throttle, Tool, tool
from tools.contracts import TOOLS, Euros, OrderId, Reason, refund, risk_of_refund
from tools.refund_blind import refund_blind
from tools.results import Refund
from tools.service import crm, fulfilment, payments, replies

_TIMEOUT_SECONDS = 6.0
IMPLEMENTATIONS = (crm, fulfilment, payments, replies)
"""Imported here, so that the fork server has them and a new worker need not."""

MESSAGE = "My order A-1042 arrived broken, I want my money back."
"""What the customer writes."""
ORDER = "A-1042"

SCRIPT: dict[str, Any] = {
    "conversations": {
        "copilot": {
            "pick": "match",
            "steps": [
                {
                    "expect": {"schema": "Wish"},
                    "answer": {"json": {"amount": "", "reason": "arrived broken"}},
                },
                {
                    "expect": {"system": "You write for Harbour Lane"},
                    "answer": {
                        "text": "We are sorry that your order arrived broken. Your money has been "
                        "returned to your original payment method."
                    },
                },
            ],
        }
    }
}
"""What the model says."""


async def find_nothing(key: str) -> Refund | None:
    """Say that a refund did not happen, whatever is true."""
    return None


@tool(
    effect=Effect.EXTERNAL,
    risk=risk_of_refund,
    attempts=3,
    runs="tools.service.payments:refund",
    reconcile=find_nothing,
    name="refund",
)
async def refund_in_denial(order_id: OrderId, amount: Euros, reason: Reason) -> Refund:
    """Pay money back to the customer's original payment method, and deny it."""


def _copy(original: Tool, **changes: Any) -> Tool:
    contract = original.contract.model_copy(update=changes)
    return original.model_copy(update={"name": contract.name, "contract": contract})


def _hosting(refunding: Tool) -> Agent:
    """Return the copilot with another tool of the name 'refund'."""
    tools = [refunding if item.name == "refund" else item for item in TOOLS]
    quick = [
        _copy(item, timeout_seconds=_TIMEOUT_SECONDS)
        if item.contract.effect.changes_world
        else item
        for item in tools
    ]
    return agent("support", build, tools=quick)


reconciling = _hosting(refund)
"""The copilot as it is: the refund tool can look up what became of a lost call."""
blind = _hosting(_copy(refund_blind, name="refund"))
"""The copilot with a refund tool that cannot."""
denying = _hosting(refund_in_denial)
"""The copilot with a refund tool that says what is not true: a control, for it pays twice."""


class Case(TypedDict):
    """A refund that is asked for, and what came of it."""

    order_id: str
    amount: str
    reason: str
    refund_id: str


async def pay_back(case: Case) -> dict[str, Any]:
    """Ask for the refund."""
    asked = {key: case[key] for key in ("order_id", "amount", "reason")}  # type: ignore[literal-required]
    return {"refund_id": (await refund.ainvoke(asked)).refund_id}


def _cashier() -> StateGraph[Case, None, Case, Case]:
    graph: StateGraph[Case, None, Case, Case] = StateGraph(Case)
    graph.add_node("pay_back", pay_back)
    graph.add_edge(START, "pay_back")
    return graph


cashier = agent("cashier", _cashier, tools=[refund])
"""Nothing but the refund tool as it is: for many runs at once."""


def _sleeping(refunding: Tool) -> Agent:
    """Return the cashier with short calls on a queue of their own.

    Such a queue has one poller in each worker: a stopped one takes at most one task with it.
    """
    own_queue = {"timeout_seconds": _TIMEOUT_SECONDS, "throttle": Throttle(rate="50/s")}
    return agent("cashier", _cashier, tools=[_copy(refunding, **own_queue)])


sleeper = _sleeping(refund)
"""The cashier for a worker that is stopped in the middle of a call."""
sleeper_blind = _sleeping(_copy(refund_blind, name="refund"))
"""The same, with a refund tool that cannot look up what became of a lost call."""
