"""The copilot's state. Plain JSON values, so every step can be read as it is."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages

Action = Literal["refund", "replacement", "address_change"]


class Source(TypedDict):
    """A passage of a knowledge document."""

    document: str
    title: str
    text: str
    score: float


class Done(TypedDict):
    """What was done, or why not."""

    action: Action
    outcome: Literal["done", "rejected", "failed", "needs_details"]
    arguments: dict[str, Any]
    result: dict[str, Any]
    why: str


class SupportState(TypedDict, total=False):
    """What the copilot knows of one case."""

    messages: Annotated[list[AnyMessage], add_messages]
    intent: str
    confidence: float
    order_id: str
    sources: list[Source]
    past_cases: list[str]
    order: dict[str, Any]
    customer: dict[str, Any]
    done: Done
    draft: str
    problems: list[str]
    """Why a draft was not sent; empty when it was."""
    reply: str
    reply_source: Literal["draft", "template", "human"]
    reply_id: str


def question(state: SupportState) -> str:
    """Return the customer's newest message as text."""
    humans = [message for message in state["messages"] if message.type == "human"]
    return str(humans[-1].text) if humans else ""
