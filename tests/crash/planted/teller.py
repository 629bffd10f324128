"""Agents that wire money. Some graphs do it wrong: theirs is the planted bug."""

from __future__ import annotations

import json
import os
import urllib.request
from typing import Any

import httpx
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from interlock.agents import Agent, agent
from interlock.tools import Effect, Risk, Tool, tool
from interlock.tools.contract import ToolCall

BANK = "PLANTED_BANK_URL"
"""Environment variable with the bank's address."""
TIMEOUT_SECONDS = 2.0


async def send(account: str, amount: int, *, call: ToolCall) -> int:
    """Wire, and return the number of the wire."""
    body = {"account": account, "amount": amount, "reference": call.effect_key}
    async with httpx.AsyncClient(timeout=None) as bank:
        answer = await bank.post(os.environ[BANK], json=body)
    found: int = answer.json()["id"]
    return found


async def find(call: ToolCall) -> int | None:
    """Return the number of the wire that a lost call made."""
    async with httpx.AsyncClient(timeout=None) as bank:
        made = (await bank.get(os.environ[BANK])).json()
    numbers = [item["id"] for item in made if item["reference"] == call.effect_key]
    return numbers[0] if numbers else None


def _wire(risk: Risk, name: str, *, blind: bool = False) -> Tool:
    async def wire(account: str, amount: int) -> int:
        """Wire an amount to an account."""
        raise NotImplementedError

    return tool(
        wire,
        effect=Effect.EXTERNAL,
        risk=risk,
        timeout_seconds=TIMEOUT_SECONDS,
        runs=f"{__name__}:send",
        reconcile=None if blind else find,
        name=name,
    )


wire = _wire(Risk.HIGH, "wire")
"""Asks a person; the bank's book tells what became of a lost call."""
petty = _wire(Risk.LOW, "petty")
"""Asks nobody."""
blind = _wire(Risk.LOW, "blind", blind=True)
"""Asks nobody, and cannot tell what became of a lost call."""


class Wiring(TypedDict, total=False):
    account: str
    amount: int
    number: int
    answer: str


def _sends_by(used: Tool) -> Any:
    async def pay(state: Wiring) -> dict[str, Any]:
        asked = {"account": state["account"], "amount": state["amount"]}
        return {"number": await used.ainvoke(asked)}

    return pay


async def look(state: Wiring) -> dict[str, Any]:
    """Does nothing, one superstep later."""
    return {"answer": f"wire {state.get('number')}"}


async def pay_directly(state: Wiring) -> dict[str, Any]:
    """BUG: the effect is made by workflow code, past the doors."""
    body = {"account": state["account"], "amount": state["amount"], "reference": "direct"}
    bank = os.environ.get(BANK)
    if bank is not None:  # it is None in a replay elsewhere, as it often is with such bugs
        asked = urllib.request.Request(bank, data=json.dumps(body).encode())
        urllib.request.urlopen(asked).close()  # noqa: ASYNC210  wrong in many ways
    return {"number": 1}


async def pay_then_ask(state: Wiring) -> dict[str, Any]:
    """Pay, then ask: the node runs again from its top when the answer is there."""
    asked = {"account": state["account"], "amount": state["amount"]}
    number = await petty.ainvoke(asked)
    return {"number": number, "answer": str(interrupt("Was it right?"))}


async def pay_whatever_happens(state: Wiring) -> dict[str, Any]:
    """BUG: a cancellation is swallowed, and the graph goes on with the next effect."""
    asked = {"account": state["account"], "amount": state["amount"]}
    try:
        return {"number": await wire.ainvoke(asked)}
    except BaseException:  # noqa: BLE001  that is the bug
        return {"number": await petty.ainvoke(asked)}


def _teller(name: str, pay: Any, *tools: Tool) -> Agent:
    def build() -> StateGraph[Wiring, None, Wiring, Wiring]:
        graph: StateGraph[Wiring, None, Wiring, Wiring] = StateGraph(Wiring)
        graph.add_node("pay", pay)
        graph.add_node("look", look)
        graph.add_edge(START, "pay")
        graph.add_edge("pay", "look")
        return graph

    return agent(name, build, tools=tools)


careful = _teller("careful", _sends_by(wire), wire)
quick = _teller("quick", _sends_by(petty), petty)
blindly = _teller("blindly", _sends_by(blind), blind)
directly = _teller("directly", pay_directly)
asking = _teller("asking", pay_then_ask, petty)
stubborn = _teller("stubborn", pay_whatever_happens, wire, petty)
