"""What the customer wants and what is known: intent, knowledge, order, history."""

from __future__ import annotations

import re

from langgraph.store.base import BaseStore, SearchItem

from agents.support.state import Source, SupportState, question
from interlock.errors import ToolFailed, ToolRetry
from tools.contracts import customer_lookup, order_lookup

INTENTS = ("intents",)
"""Store namespace of the labelled examples."""
KNOWLEDGE = ("knowledge",)
"""Store namespace of the documents."""
CASES = "cases"
"""First label of the namespaces of closed cases, before the customer's id."""

_NEIGHBOURS = 7
_UNSURE = 0.30
"""Similarity of the nearest example below which the intent is 'other'."""
_ORDER_ID = re.compile(r"\bA[-\s#]?(\d{4})\b", re.IGNORECASE)


async def understand(state: SupportState, *, store: BaseStore) -> SupportState:
    """Take the intent of the nearest labelled examples, and the order number from the text."""
    text = question(state)
    near = await store.asearch(INTENTS, query=text, limit=_NEIGHBOURS)
    intent, confidence = vote(near)
    found = _ORDER_ID.search(text)
    return {
        "intent": intent,
        "confidence": confidence,
        "order_id": f"A-{found[1]}" if found else "",
    }


def vote(near: list[SearchItem]) -> tuple[str, float]:
    """Return the intent with the most weight among the nearest examples, and its share."""
    if not near or (near[0].score or 0.0) < _UNSURE:
        return "other", 0.0
    weights: dict[str, float] = {}
    for item in near:
        # Cubed, so that one close example outweighs several distant ones.
        weights[item.value["intent"]] = (
            weights.get(item.value["intent"], 0.0) + (item.score or 0) ** 3
        )
    best = max(weights, key=lambda intent: weights[intent])
    return best, round(weights[best] / sum(weights.values()), 3)


async def recall(state: SupportState, *, store: BaseStore) -> SupportState:
    """Find the passages that answer the message."""
    found = await store.asearch(KNOWLEDGE, query=question(state), limit=3)
    sources: list[Source] = [
        {
            "document": item.value["document"],
            "title": item.value["title"],
            "text": item.value["text"],
            "score": round(item.score or 0.0, 3),
        }
        for item in found
    ]
    return {"sources": sources}


async def look_up(state: SupportState, *, store: BaseStore) -> SupportState:
    """Read the order, its customer's history and how their earlier cases ended."""
    if not state["order_id"]:
        return {}
    try:
        order = await order_lookup.ainvoke({"order_id": state["order_id"]})
        customer = await customer_lookup.ainvoke({"customer": order.customer_id})
    except (ToolRetry, ToolFailed):
        return {}
    cases = await store.asearch((CASES, order.customer_id), limit=3)
    return {
        "order": order.model_dump(mode="json"),
        "customer": customer.model_dump(mode="json"),
        "past_cases": [str(case.value["summary"]) for case in cases],
    }
