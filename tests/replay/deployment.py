"""The agents whose runs these tests record and replay, beside those of the application."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AnyMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from interlock.agents import Agent, agent, model
from interlock.replay import Code, History, load_code, read_file
from interlock.settings import load_settings
from tests.graphs import SAID, everything, shopper
from tests.replay.hasty import hasty
from tests.throttled import busy

ROOT = Path(__file__).parents[2]
"""Where the application is."""
GOLDEN = Path(__file__).parent / "golden"
"""Recorded runs; `python -m tests.replay.record` records them anew."""
NAMES = tuple(sorted(path.stem for path in GOLDEN.glob("*.json")))
"""All that are recorded."""

SCRIPT = {
    "conversations": {
        **SAID,
        "talk": {
            "when": "talk",
            "steps": [{"answer": {"text": f"answer {number}"}} for number in range(20)],
        },
        # The second step answers twice: the first answer is not in the graph's state.
        "mistaken": {
            "when": "by mistake",
            "steps": [
                {"answer": {"tool_calls": [{"name": "pay_small", "args": '{"acc', "id": "c0"}]}},
                {
                    "answer": {
                        "tool_calls": [
                            {
                                "name": "pay_small",
                                "args": {"account": "mistaken", "amount": 1},
                                "id": "c1",
                            }
                        ]
                    }
                },
                {"expect": {"role": "tool"}, "answer": {"text": "Paid twice."}},
            ],
        },
    }
}
"""What the scripted model says."""


class Talk(TypedDict):
    """The state of the talker."""

    messages: Annotated[list[AnyMessage], add_messages]


async def chat(state: Talk) -> dict[str, Any]:
    """Answer."""
    return {"messages": [await model("fast").ainvoke(state["messages"])]}


def talker() -> Agent:
    """Return an agent that answers."""

    def graph() -> StateGraph[Talk, None, Talk, Talk]:
        made: StateGraph[Talk, None, Talk, Talk] = StateGraph(Talk)
        made.add_node("chat", chat)
        made.add_edge(START, "chat")
        made.add_edge("chat", END)
        return made

    return agent("talker", graph)


def agents() -> list[Agent]:
    """Return all of them."""
    reviewed = shopper(HumanInTheLoopMiddleware({"pay": True}), name="reviewed")
    return [everything(), shopper(), reviewed, talker(), hasty, busy()]


def code(changed: Sequence[Agent] = ()) -> Code:
    """Return these agents and the application, with some in the place of those of the same name."""
    names = {item.name for item in changed}
    kept = [item for item in agents() if item.name not in names]
    return load_code(load_settings(ROOT), agents=[*kept, *changed])


def golden(name: str) -> History:
    """Return a recorded run."""
    return read_file(GOLDEN / f"{name}.json")
