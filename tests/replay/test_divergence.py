"""A replay says that today's code takes the recorded path, or names where it leaves it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import SystemMessage
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from temporalio.api.history.v1 import HistoryEvent

from interlock.agents import Agent, agent, model
from interlock.errors import ConfigError
from interlock.replay import Change, Divergence, replay
from interlock.replay.commands import recorded
from tests.graphs import (
    Everything,
    Part,
    add_up,
    ask,
    dear_or_cheap,
    everything_graph,
    fan_out,
    look_up,
    pay,
    pay_small,
    plan,
    price_of,
    settle,
)
from tests.replay.bare import LIBRARIES, SAMPLE, divergences, replayed
from tests.replay.deployment import NAMES, ROOT, code, golden, talker


def everything_but(**changed: Callable[..., Any]) -> Agent:
    """The recorded graph with other functions for some of its nodes."""

    def graph() -> StateGraph[Everything, None, Everything, Everything]:
        made = everything_graph()
        for name, function in changed.items():
            del made.nodes[name]
            made.add_node(name, function)
        return made

    return agent("everything", graph, tools=[pay, pay_small, price_of])


async def differences(name: str, changed: Agent) -> tuple[Divergence, ...]:
    """What a replay of a recorded run against a changed agent finds."""
    return (await replay(golden(name), code([changed]))).divergences


@pytest.mark.parametrize("name", NAMES)
async def test_unchanged_code_takes_the_recorded_path(name: str) -> None:
    """Every command is the recorded one, with the recorded input."""
    history = golden(name)
    report = await replay(history, code())
    assert report.same_path
    assert report.divergence is None
    assert (report.workflow_id, report.events) == (history.workflow_id, len(history.events))
    assert report.commands == len(recorded(history.events))


async def test_an_unfinished_run_replays_at_every_length() -> None:
    """A history that ends in the middle, as that of a waiting run does, is on the same path."""
    whole = golden("approved")
    ends = [
        event.event_id
        for event in whole.events
        if event.HasField("workflow_task_completed_event_attributes")
    ]
    assert len(ends) > 5
    for end in ends:
        report = await replay(dataclasses.replace(whole, events=whole.events[:end]), code())
        assert report.divergence is None, end


async def test_a_removed_question_is_named() -> None:
    """The node no longer asks a person: the recorded wait is what is missing."""

    async def does_not_ask(state: Everything) -> Command[Any]:
        answer = await model("fast").ainvoke(state["messages"])
        return Command(goto="settle", update={"wish": "yes please", "messages": [answer]})

    (found,) = await differences("approved", everything_but(ask=does_not_ask))
    assert (found.kind, found.node) == ("path", "settle")
    assert found.expected == "run attributes: status 'waiting'"
    assert found.actual == "verdict on 'pay' in node 'settle'"
    recorded = golden("approved").events[found.event_id - 1]
    assert recorded.HasField("upsert_workflow_search_attributes_event_attributes")


async def test_a_removed_approval_is_named() -> None:
    """A tool that needs no approval takes the place of one that does."""

    async def pays_without_asking(state: Everything) -> dict[str, Any]:
        amount = {"account": state["account"], "amount": state["total"]}
        return {"receipt": await pay_small.ainvoke(amount)}

    (found,) = await differences("approved", everything_but(settle=pays_without_asking))
    assert (found.kind, found.node) == ("path", "settle")
    assert found.expected == "verdict on 'pay'"
    assert found.actual == "verdict on 'pay_small' in node 'settle'"


async def test_a_reordered_node_is_named() -> None:
    """The graph asks the model before it adds up."""

    def graph() -> StateGraph[Everything, None, Everything, Everything]:
        made: StateGraph[Everything, None, Everything, Everything] = StateGraph(Everything)
        for node in (plan, look_up, add_up, ask, settle):
            made.add_node(node.__name__, node)
        made.add_edge(START, "plan")
        made.add_conditional_edges("plan", fan_out, ["look_up"])
        made.add_edge("look_up", "ask")
        made.add_edge("ask", "add_up")
        made.add_conditional_edges("add_up", dear_or_cheap, ["ask", "settle"])
        made.add_edge("settle", END)
        return made

    changed = agent("everything", graph, tools=[pay, price_of])
    (found,) = await differences("approved", changed)
    assert (found.kind, found.node) == ("path", "ask")
    assert found.expected == "activity node 'add_up'"
    assert found.actual == "model call 'fast' in node 'ask'"


async def test_a_renamed_node_is_another_path() -> None:
    """Temporal would see the same activity type and let it pass."""
    renamed: StateGraph[Any, None, Any, Any] = StateGraph(talker().graph.builder.state_schema)
    renamed.add_node("answer", talker().graph.builder.nodes["chat"].runnable)
    renamed.add_edge(START, "answer")
    renamed.add_edge("answer", END)
    (found,) = await differences("chain-1", agent("talker", renamed))
    assert (found.kind, found.node) == ("path", "answer")
    assert found.expected == "model call 'fast' in node 'chat'"
    assert found.actual == "model call 'fast' in node 'answer'"


async def test_changed_arguments_of_a_tool_call_are_named() -> None:
    """Temporal compares no inputs: an equal call with another amount is reported as such."""

    async def pays_less(state: Everything) -> dict[str, Any]:
        amount = {"account": state["account"], "amount": state["total"] - 1}
        return {"receipt": await pay.ainvoke(amount)}

    found = await differences("approved", everything_but(settle=pays_less))
    assert (found[0].kind, found[0].node) == ("arguments", "settle")
    assert found[0].actual == "verdict on 'pay' in node 'settle'"
    assert found[0].changes == (Change(path="arguments.amount", recorded=22, today=21),)
    assert found[1].expected.startswith("open requests: "), "the request is about another action"
    assert found[-1].kind == "path", "so the recorded approval does not count"


async def test_changed_arguments_without_an_approval_are_named() -> None:
    """The input of a model call differs in one place, and the path is the same."""

    async def told_to_be_kind(state: Everything) -> Command[Any]:
        messages = [SystemMessage("Be kind.", id="kind"), *state["messages"]]
        return await _asks(await model("fast").ainvoke(messages), state)

    report = await replay(golden("approved"), code([everything_but(ask=told_to_be_kind)]))
    assert report.same_path
    assert [item.kind for item in report.divergences] == ["arguments"]
    assert report.divergence is not None
    assert report.divergence.expected == "model call 'fast' in node 'ask'"
    (change,) = report.divergence.changes
    assert change.path == "messages"
    assert [item["data"]["content"] for item in change.today][:2] == ["Be kind.", "buy these"]


async def _asks(answer: Any, state: Everything) -> Command[Any]:
    """The rest of the recorded node `ask`."""
    wish = interrupt({"question": "Shall I buy?", "total": state["total"]})
    return Command(goto="settle", update={"wish": str(wish), "messages": [answer]})


async def test_changed_arguments_of_a_local_call_are_named() -> None:
    """A history has no input of a local call, but its answer has a verdict that says what was judged."""

    async def looks_up_another(part: Part) -> dict[str, Any]:
        return {"prices": [await price_of.ainvoke({"article": part["article"].upper()})]}

    report = await replay(golden("approved"), code([everything_but(look_up=looks_up_another)]))
    assert report.same_path
    found = report.divergences[0]
    assert (found.kind, found.node) == ("arguments", "look_up")
    assert found.actual == "tool call 'price_of' in node 'look_up'"
    assert found.changes == (Change(path="arguments.article", recorded="lamp", today="LAMP"),)


async def test_another_model_role_is_another_path() -> None:
    """The role is named on both sides."""

    async def asks_the_strong_one(state: Everything) -> Command[Any]:
        return await _asks(await model("strong").ainvoke(state["messages"]), state)

    (found,) = await differences("approved", everything_but(ask=asks_the_strong_one))
    assert (found.expected, found.actual) == (
        "model call 'fast' in node 'ask'",
        "model call 'strong' in node 'ask'",
    )


async def test_a_node_that_raises_is_named() -> None:
    """The run would fail where it went on."""

    async def raises(state: Everything) -> dict[str, Any]:
        raise KeyError("account")

    (found,) = await differences("approved", everything_but(settle=raises))
    assert (found.kind, found.expected) == ("path", "verdict on 'pay'")
    assert found.actual == "run attributes: status 'failed'"


async def test_code_that_waits_is_named() -> None:
    """Nothing is asked of Temporal any more, which only Temporal can notice."""

    async def waits(state: Everything) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    (found,) = await differences("approved", everything_but(add_up=waits))
    assert (found.kind, found.expected) == ("path", "activity node 'add_up'")
    assert found.actual == "nothing: it waits, or has ended"
    assert "TMPRL1100" in found.message


async def test_another_result_of_the_same_path_is_reported() -> None:
    """Pure code that computes something else changes the end result only."""

    async def pays_and_lies(state: Everything) -> dict[str, Any]:
        return await settle(state) | {"receipt": "paid 0"}

    report = await replay(golden("approved"), code([everything_but(settle=pays_and_lies)]))
    assert report.same_path
    assert report.divergence is not None
    assert report.divergence.kind == "result"
    (change,) = report.divergence.changes
    assert (change.path, change.today) == ("output.receipt", "paid 0")


async def test_a_field_that_a_contract_got_later_is_no_difference() -> None:
    """Recorded without it, the call has the field's default."""
    history = golden("approved")
    events = [copied(event) for event in history.events]
    calls = [
        event.activity_task_scheduled_event_attributes
        for event in events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "tool.call"
    ]
    assert calls
    for call in calls:
        (given,) = call.input.payloads
        data = json.loads(given.data)
        assert data.pop("resolved_token") is None
        given.data = json.dumps(data).encode()
    older = dataclasses.replace(history, events=tuple(events))
    assert (await replay(older, code())).divergence is None


async def test_a_workflow_that_is_not_there_is_refused() -> None:
    """The message names it and those there are."""
    history = golden("approved")
    started = copied(history.events[0])
    started.workflow_execution_started_event_attributes.workflow_type.name = "BillingCase"
    other = dataclasses.replace(history, events=(started, *history.events[1:]))
    with pytest.raises(ConfigError, match=r"'BillingCase'.*Known: AgentWorkflow, Know"):
        await replay(other, code())


@pytest.mark.parametrize("seed", SAMPLE)
def test_goldens_replay_bare_and_under_any_hash_seed(seed: str) -> None:
    """No database, no Chroma and no provider library can be imported; sets have another order."""
    found = replayed(Path(sys.executable), ROOT, seed, barred=LIBRARIES)
    assert sorted(found["reports"]) == list(NAMES)
    assert divergences(found) == {}


def copied(event: HistoryEvent) -> HistoryEvent:
    """An event that may be changed."""
    copy = HistoryEvent()
    copy.CopyFrom(event)
    return copy
