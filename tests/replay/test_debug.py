"""A failed run is taken apart superstep by superstep, and its node's code under `pdb`."""

from __future__ import annotations

import dataclasses
import io
import sys
from typing import Any

import pytest

from interlock.agents import agent
from interlock.errors import BadInput
from interlock.replay import StopReport, Superstep, stop_at, supersteps
from tests.graphs import Everything, pay, price_of
from tests.replay.deployment import code, golden
from tests.replay.test_divergence import everything_but


def called(step: Superstep) -> list[str]:
    """The calls of a superstep in words."""
    return [call.text for call in step.calls]


async def test_supersteps_lead_up_to_the_failure() -> None:
    """Each has its nodes, what they asked and got, and what the state became."""
    report = await supersteps(golden("rejected"), code())
    assert [step.nodes for step in report.supersteps] == [
        ("plan",),
        ("look_up",),
        ("add_up",),
        ("twice",),
        ("ask",),
        ("settle",),
    ]
    assert [step.next for step in report.supersteps[:-1]] == [
        step.nodes for step in report.supersteps[1:]
    ]
    looked, asked, failed = (report.supersteps[index] for index in (1, 4, 5))
    assert [call.answer["result"] for call in looked.calls] == [4, 3, 4]
    assert [(c.key, c.how, c.value) for c in looked.changes] == [("prices", "added", [4, 3, 4])]
    assert called(asked)[0] == "model call 'fast' in node 'ask'"
    assert asked.calls[1].answer["result"] == "yes please"
    assert {change.key for change in asked.changes} == {"messages", "wish"}
    assert not failed.finished
    assert called(failed)[0] == "verdict on 'pay' in node 'settle'"
    assert failed.calls[0].question["arguments"] == {"account": "rejected", "amount": 22}
    assert failed.calls[1].answer["verb"] == "reject"
    assert report.ended == "failed"
    assert report.failure is not None
    assert (report.failure.code, report.failure.details["node"]) == ("APPROVAL_REJECTED", "settle")
    assert report.report.divergence is None


async def test_supersteps_of_a_chain_go_on_from_the_carried_state() -> None:
    """The second run's first superstep shows the state that it was given."""
    report = await supersteps(golden("chain-2"), code())
    assert report.ended == "cancelled"
    assert report.supersteps[0].nodes == ("chat",)
    (change,) = report.supersteps[0].changes
    assert (change.key, change.how) == ("messages", "set")
    texts = [message["data"]["content"] for message in change.value]
    assert texts[:2] == ["talk 0", "answer 0"]
    assert len(texts) > 3


async def test_an_unanswered_call_is_shown_as_such() -> None:
    """A history that ends at the request shows it open."""
    whole = golden("approved")
    end = next(
        event.event_id for event in whole.events if event.HasField("timer_started_event_attributes")
    )
    waiting = dataclasses.replace(whole, events=whole.events[:end])
    report = await supersteps(waiting, code())
    last = report.supersteps[-1].calls[-1]
    assert last.text.startswith("decision on 'q4:")
    assert (last.answered, report.ended) == (False, "")


async def test_supersteps_stop_where_the_code_leaves_the_path() -> None:
    """What was the same before is shown, and where it stopped being so."""

    async def raises(state: Everything) -> dict[str, Any]:
        raise KeyError("account")

    report = await supersteps(golden("approved"), code([everything_but(settle=raises)]))
    assert [step.nodes for step in report.supersteps][-1] == ("ask",)
    assert report.report.divergence is not None
    assert report.report.divergence.actual == "run attributes: status 'failed'"


async def typed(node: str, *commands: str, run: str = "rejected") -> tuple[StopReport, str]:
    """Debug a recorded run with typed commands; what the debugger printed."""
    out = io.StringIO()
    stdin = io.StringIO("".join(f"{command}\n" for command in commands))
    report = await stop_at(golden(run), code(), node, stdin=stdin, stdout=out)
    return report, out.getvalue()


async def test_pdb_stops_in_the_node_that_failed() -> None:
    """It stops at the node's first line, with the state of the recorded run in reach."""
    hook, tracer = sys.breakpointhook, sys.gettrace()
    report, printed = await typed("settle", "p state['total'] * 1000 + 7", "p state['wish']", "c")
    assert "tests/graphs.py" in printed
    assert "settle()" in printed
    assert "22007" in printed
    assert "'yes please'" in printed
    assert report.stops == 1
    assert report.report.divergence is None
    assert (sys.breakpointhook, sys.gettrace()) == (hook, tracer)


async def test_pdb_steps_through_the_node_with_recorded_answers() -> None:
    """`n` runs a door call, which gets what was recorded."""
    report, printed = await typed("ask", "n", "p answer.text.upper()", "c", "c", run="approved")
    assert "'I WOULD BUY.'" in printed
    assert report.stops == 2, "the node runs again when its interrupt is answered"


async def test_pdb_stops_in_sync_nodes_subgraphs_and_every_task() -> None:
    """A plain function, a node of a subgraph by either name, and each task of a fan-out."""
    assert (await typed("plan", "c"))[0].stops == 1
    assert (await typed("double", "c"))[0].stops == 1
    assert (await typed("twice:double", "c"))[0].stops == 1
    report, printed = await typed("look_up", *["p part['article'].upper()", "c"] * 3)
    assert report.stops == 3
    assert [word for word in ("LAMP", "RUG", "VASE") if word in printed] == ["LAMP", "RUG", "VASE"]


async def test_pdb_can_be_quit() -> None:
    """`q`, or the end of input, ends the replay; that is no divergence."""
    for commands in (["q"], []):
        report, _ = await typed("look_up", *commands)
        assert report.stops == 1
        assert report.report.divergence is None


async def test_pdb_stops_in_agents_of_create_agent() -> None:
    """LangChain's own nodes have code too."""
    report, _ = await typed("tools", "c", "c", run="edited")
    assert report.stops == 2


async def test_a_node_that_the_run_did_not_reach() -> None:
    """Nothing stops, and the replay says that it went through."""
    whole = golden("rejected")
    early = dataclasses.replace(whole, events=whole.events[:9])
    report = await stop_at(early, code(), "settle", stdin=io.StringIO(), stdout=io.StringIO())
    assert report.stops == 0


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("nobody", r"no node 'nobody'.*It has: add_up, ask, look_up, plan"),
        ("add_up", r"'add_up' is an activity node.*recorded result"),
        ("twice", r"'twice' is a graph of its own.*twice:double"),
    ],
)
async def test_nodes_that_cannot_be_stopped_at(node: str, told: str) -> None:
    """The error says why, and what there is instead."""
    with pytest.raises(BadInput, match=told):
        await stop_at(golden("rejected"), code(), node)


async def test_a_run_that_never_got_to_its_agent() -> None:
    """There is no node to look for."""
    whole = golden("rejected")
    early = dataclasses.replace(whole, events=whole.events[:4])
    with pytest.raises(BadInput, match="did not come as far"):
        await stop_at(early, code(), "settle")


async def test_code_without_a_source_file_is_told() -> None:
    """`pdb` cannot stop in code that was made from text."""
    space: dict[str, Any] = {}
    exec("async def settle(state): return {}", space)
    changed = everything_but(settle=space["settle"])
    with pytest.raises(BadInput, match="'settle' cannot be stopped at"):
        await stop_at(golden("rejected"), code([changed]), "settle")


def test_the_changed_graph_is_the_recorded_one() -> None:
    """The tests above change what they name, and nothing else."""
    same = everything_but()
    recorded = agent("everything", lambda: same.graph, tools=[pay, price_of])
    assert sorted(recorded.graph.nodes) == sorted(same.graph.nodes)
