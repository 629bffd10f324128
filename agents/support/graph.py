"""The graph of the support copilot."""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph

from agents.support.acting import act_address_change, act_refund, act_replacement
from agents.support.addresses import address_in
from agents.support.replying import check, draft, hand_over, remember, send
from agents.support.state import SupportInput, SupportState
from agents.support.understanding import look_up, recall, understand
from interlock.agents import agent
from tools.contracts import TOOLS

_ACTS = {
    "refund": "act_refund",
    "replacement": "act_replacement",
    "address_change": "act_address_change",
}
_BY_A_PERSON = ("complaint_or_human", "cancellation")


def route(state: SupportState) -> str:
    """Choose the node: a person where one must look, an action that was asked for, else an answer."""
    intent = state["intent"]
    if intent in _BY_A_PERSON or state["concern"]:
        return "hand_over"
    if intent in _ACTS and _is_asked_for(intent, state):
        return _ACTS[intent]
    return "draft"


def after_action(state: SupportState) -> str:
    """Hand over what could not be done; anything else is told to the customer."""
    done = state.get("done")
    return "hand_over" if done is None or done["outcome"] == "failed" else "draft"


def build() -> StateGraph[SupportState, None, SupportInput, SupportState]:
    """Return the copilot's graph."""
    graph = StateGraph(SupportState, input_schema=SupportInput)
    for node in (
        understand,
        recall,
        look_up,
        act_refund,
        act_replacement,
        act_address_change,
        hand_over,
        draft,
        check,
        send,
        remember,
    ):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "recall")
    graph.add_edge("recall", "look_up")
    graph.add_conditional_edges("look_up", route, [*_ACTS.values(), "hand_over", "draft"])
    for node_name in _ACTS.values():
        graph.add_conditional_edges(node_name, after_action, ["hand_over", "draft"])
    graph.add_edge("draft", "check")
    graph.add_edge("check", "send")
    graph.add_edge("hand_over", "send")
    graph.add_edge("send", "remember")
    graph.add_edge("remember", END)
    return graph


def _is_asked_for(intent: str, state: SupportState) -> bool:
    """Return whether the customer's words name the wish, or the thing that it needs.

    Without either the message is only near to those that ask for it.
    """
    if intent in state["wishes"]:
        return True
    if intent == "address_change":
        return address_in(state["said"]) is not None
    return bool(state["order_id"])


support = agent(
    "support",
    build,
    tools=TOOLS,
    description="Answers customers: classifies, recalls, acts with a person's consent, replies.",
)
