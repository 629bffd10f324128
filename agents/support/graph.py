"""The graph of the support copilot."""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph

from agents.support.acting import act_address_change, act_refund, act_replacement
from agents.support.replying import check, draft, hand_over, remember, send
from agents.support.state import SupportState
from agents.support.understanding import look_up, recall, understand
from interlock.agents import agent
from tools.contracts import TOOLS

_ROUTES = {
    "refund": "act_refund",
    "replacement": "act_replacement",
    "address_change": "act_address_change",
    "complaint_or_human": "hand_over",
    "cancellation": "hand_over",
}


def route(state: SupportState) -> str:
    """Choose the node by intent; everything that needs no action is answered."""
    return _ROUTES.get(state["intent"], "draft")


def build() -> StateGraph[SupportState, None, SupportState, SupportState]:
    """Return the copilot's graph."""
    graph: StateGraph[SupportState, None, SupportState, SupportState] = StateGraph(SupportState)
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
    graph.add_conditional_edges("look_up", route, [*sorted(set(_ROUTES.values())), "draft"])
    for node_name in ("act_refund", "act_replacement", "act_address_change"):
        graph.add_edge(node_name, "draft")
    graph.add_edge("draft", "check")
    graph.add_edge("check", "send")
    graph.add_edge("hand_over", "send")
    graph.add_edge("send", "remember")
    graph.add_edge("remember", END)
    return graph


support = agent(
    "support",
    build,
    tools=TOOLS,
    description="Answers customers: classifies, recalls, acts with a person's consent, replies.",
)
