"""What the customer wants and what is known: intent, knowledge, order, history."""

from __future__ import annotations

import re
from typing import Any

from langgraph.store.base import BaseStore, SearchItem

from agents.support.concerns import concern_about, settled_before
from agents.support.state import Source, SupportState, question
from agents.support.wording import order_number, wishes_in, without_order_numbers
from interlock.errors import ModelMistake, ToolError
from tools.contracts import customer_lookup, order_lookup
from tools.results import Customer, Order

INTENTS = ("intents",)
"""Store namespace of the labelled examples."""
KNOWLEDGE = ("knowledge",)
"""Store namespace of the documents."""
CASES = "cases"
"""First label of the namespaces of closed cases, before the customer's id."""

_NEAREST = 15
_COUNTED = 5
"""Examples of one intent that count."""
_UNSURE = 0.30
"""Similarity of the nearest example below which only the words count."""
_SAID = 0.15
"""What a wish that is said outright adds to the similarity of its intent."""
_PASSAGES, _KEPT = 5, 3
_SHARED_WORD = 0.05
"""What a word that a passage shares with the question adds to its similarity."""
_LATEST_CASES = 20
_NOTHING_FOUND: SupportState = {"order": {}, "customer": {}, "past_cases": [], "settled": []}
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """about after also and any are but can could does for from has have hello her his how into its
        just like not now one order our out please she some than thank that the their them then there
        they this want was were what when where which who will with would you your""",
    )
)


async def understand(state: SupportState, *, store: BaseStore) -> SupportState:
    """Take the intent of the nearest labelled examples and of the words that name one."""
    newest = question(state)
    near = await store.asearch(INTENTS, query=without_order_numbers(newest), limit=_NEAREST)
    wishes = wishes_in(newest)
    intent, confidence = vote(near, wishes)
    said = newest
    done = state.get("done")
    if done is not None and done["outcome"] == "needs_details" and intent != "complaint_or_human":
        # It answers what we asked.
        intent, said = done["action"], f"{state['said']}\n{newest}"
        wishes = [*wishes, intent]
    return {
        "said": said,
        "intent": intent,
        "confidence": confidence,
        "wishes": wishes,
        "order_id": order_number(newest) or order_number(said),
        "done": None,
        "draft": "",
        "problems": [],
    }


def vote(near: list[SearchItem], wishes: list[str]) -> tuple[str, float]:
    """Return the best intent and how far it is ahead.

    An intent is as near as its nearest examples are on average; a missing one counts like the
    farthest that was found.
    """
    scores = [item.score or 0.0 for item in near]
    if not near or scores[0] < _UNSURE:
        return (wishes[0] if wishes else "other"), 0.0
    found: dict[str, list[float]] = {intent: [] for intent in wishes}
    for item, score in zip(near, scores, strict=True):
        found.setdefault(item.value["intent"], []).append(score)
    nearness = {
        intent: sum([*own, *[scores[-1]] * _COUNTED][:_COUNTED]) / _COUNTED
        + (_SAID if intent in wishes else 0.0)
        for intent, own in found.items()
    }
    ranked = sorted(nearness, key=lambda intent: nearness[intent], reverse=True)
    second = nearness[ranked[1]] if len(ranked) > 1 else scores[-1]
    return ranked[0], round(nearness[ranked[0]] - second, 3)


async def recall(state: SupportState, *, store: BaseStore) -> SupportState:
    """Find the passages that answer the message; what is for staff only is left out."""
    text = without_order_numbers(question(state))
    query = f"{state['intent'].replace('_', ' ')}: {text}"
    found = await store.asearch(KNOWLEDGE, query=query, limit=_PASSAGES)
    public = [item for item in found if "internal" not in item.value.get("tags", ())]
    return {"sources": ranked(public, text)[:_KEPT]}


def ranked(passages: list[SearchItem], text: str) -> list[Source]:
    """Return passages by similarity and by the words they share with the text."""
    asked = _stems(text)

    def nearness(item: SearchItem) -> float:
        shared = asked & _stems(f"{item.value['title']} {item.value['text']}")
        return (item.score or 0.0) + _SHARED_WORD * len(shared)

    return [
        {
            "document": item.value["document"],
            "title": item.value["title"],
            "text": item.value["text"],
            "score": round(item.score or 0.0, 3),
        }
        for item in sorted(passages, key=nearness, reverse=True)
    ]


async def look_up(state: SupportState, *, store: BaseStore) -> SupportState:
    """Read the order, its customer's history and how their earlier cases ended."""
    sender = state.get("customer_id", "")
    try:
        order = await _order(state["order_id"])
        whose = sender or (order.customer_id if order else "")
        customer = await _customer(whose)
    except ToolError:
        return {**_NOTHING_FOUND, "concern": "The CRM did not answer, so nothing could be checked."}
    cases = await store.asearch((CASES, whose), limit=_LATEST_CASES) if customer else []
    past = [case.value for case in cases]
    is_foreign = order is not None and bool(sender) and order.customer_id != sender
    return {
        # What belongs to somebody else is not talked about.
        "order": order.model_dump(mode="json") if order and not is_foreign else {},
        "customer": customer.model_dump(mode="json") if customer else {},
        "past_cases": [str(case["summary"]) for case in past[:_KEPT]],
        "settled": settled_before(state["order_id"], past),
        "concern": concern_about(state["intent"], order, customer, sender),
    }


async def _order(order_id: str) -> Order | None:
    found = await _found(order_lookup, order_id=order_id) if order_id else None
    return found if isinstance(found, Order) else None


async def _customer(customer_id: str) -> Customer | None:
    found = await _found(customer_lookup, customer=customer_id) if customer_id else None
    return found if isinstance(found, Customer) else None


async def _found(tool: Any, **arguments: str) -> Any:
    try:
        return await tool.ainvoke(arguments)
    except ModelMistake:  # no such order or customer
        return None


def _stems(text: str) -> frozenset[str]:
    words = re.findall(r"[a-z]{3,}", text.lower())
    return frozenset(word[:5] for word in words if word not in _COMMON)
