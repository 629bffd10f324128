"""The copilot's state. Plain JSON values, so every step can be read as it is."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

Action = Literal["refund", "replacement", "address_change"]

Outcome = Literal["done", "rejected", "expired", "failed", "needs_details", "not_possible"]
"""done: it happened. rejected: a person said no. expired: nobody decided in time. failed: the other
side said no, or did not answer. needs_details: the customer has to say more. not_possible: the
shop's own rules are against it."""


class Source(TypedDict):
    """A passage of a knowledge document."""

    document: str
    title: str
    text: str
    score: float


class Done(TypedDict):
    """What was done, or why not."""

    action: Action
    outcome: Outcome
    arguments: dict[str, Any]
    result: dict[str, Any]
    why: str
    """Of anything but 'done': the reason, in words a customer may read. Of 'failed': for staff."""


class SupportInput(TypedDict, total=False):
    """What a case starts with."""

    messages: Annotated[list[AnyMessage], add_messages]
    customer_id: str
    """Who writes, as the channel has checked it; absent or empty when nobody has."""


class SupportState(SupportInput, total=False):
    """What the copilot knows of one case."""

    said: str
    """What the customer writes about this case: the newest message, and the earlier ones when it
    answers a question of ours."""
    intent: str
    confidence: float
    """How far the intent is ahead of the next one, in similarity."""
    wishes: list[str]
    """Intents that the customer's words name outright."""
    order_id: str
    sources: list[Source]
    order: dict[str, Any]
    """The order that is named, if it may be talked about; empty otherwise."""
    customer: dict[str, Any]
    past_cases: list[str]
    settled: list[str]
    """What was done about this order in earlier cases."""
    concern: str
    """Why a person must look at this case before anything is done; empty for no reason."""
    done: Done | None
    draft: str
    problems: list[str]
    """Why a draft was not sent; empty when it was."""
    reply: str
    reply_source: Literal["draft", "template", "human", "none"]
    """none: a person decided that no reply is needed."""
    reply_id: str


def question(state: SupportState) -> str:
    """Return the customer's newest message as text."""
    humans = [message for message in state["messages"] if message.type == "human"]
    return str(humans[-1].text) if humans else ""
