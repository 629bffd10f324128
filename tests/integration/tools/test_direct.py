"""The tool door outside a workflow: plain LangGraph, a notebook, a unit test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from interlock.approvals import Ask, Decision, RiskPolicy, Verdict
from interlock.approvals.direct import DirectTools
from interlock.approvals.rule_policy import load_rules
from interlock.audit.contract import EffectFilter, LedgerState
from interlock.context import CallContext
from interlock.errors import (
    ActionDenied,
    ApprovalRejected,
    BadArguments,
    DecisionRefused,
    NoPort,
    OutcomeUnknown,
    ToolUnavailable,
    UnknownTool,
)
from interlock.tools import Effect, Risk, Tool, tool
from interlock.tools.contract import TOOL_PORT
from tests.integration.tools.bench import Bench

POLICY = RiskPolicy(low="allow", medium="ask", high="deny")
CONTEXT = CallContext(agent="outside", tenant="t", lineage="outside/notebook/1")


def by_amount(amount: int) -> Risk:
    """Judge by amount."""
    if amount < 10:
        return Risk.LOW
    return Risk.MEDIUM if amount < 100 else Risk.HIGH


def direct(bench: Bench, pay: Tool, **options: Any) -> DirectTools:
    """Return the port on a new gateway."""
    terms = {"deadline_seconds": 60, "grant_seconds": 60}
    return DirectTools(
        bench.gateway(pay), POLICY, CONTEXT, clock=bench.clock, **{**terms, **options}
    )


@contextmanager
def opened(port: DirectTools) -> Iterator[None]:
    """Open the port for the calls of a test."""
    token = TOOL_PORT.set(port)
    try:
        yield
    finally:
        TOOL_PORT.reset(token)


class TwoPeople:
    """Asks two people about every call."""

    version = "0" * 12

    def judge(self, contract: Any, arguments: Any, risk: Risk, facts: Any = None) -> Verdict:
        """Ask."""
        terms = {"risk": risk, "policy": self.version, "ask": Ask(quorum=2)}
        return Verdict(outcome="ask", reason="Two people.", **terms)


class Answers:
    """Decides with one word after the other, and keeps what it was asked."""

    def __init__(self, *words: dict[str, Any]) -> None:
        self.words = list(words)
        self.voters: list[list[str]] = []

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        self.voters.append([vote["reviewer"] for vote in request["votes"]])
        return self.words.pop(0)


@contextmanager
def by_two(bench: Bench, pay: Tool, answers: Answers) -> Iterator[None]:
    """Open a port whose policy asks two people."""
    gateway, terms = bench.gateway(pay), {"deadline_seconds": 60, "grant_seconds": 60}
    port = DirectTools(gateway, TwoPeople(), CONTEXT, clock=bench.clock, ask=answers, **terms)
    with opened(port):
        yield


@pytest.fixture
async def pay(bench: Bench) -> AsyncIterator[Tool]:
    """Give a paying tool whose risk goes by the amount, with its port open."""
    made = bench.tool("external", risk=by_amount)
    with opened(direct(bench, made)):
        yield made


def answering(bench: Bench, pay: Tool, decision: Any) -> DirectTools:
    """Return a port on which every request is decided at once."""
    return direct(bench, pay, ask=lambda request: decision)


async def test_an_allowed_call_is_made(bench: Bench, pay: Tool) -> None:
    """Low risk needs nobody; the effect is in the ledger under the outside lineage."""
    assert await pay.ainvoke({"amount": 7}) == {"paid": 7}
    (row,) = await bench.ledger.rows()
    assert row.context == CONTEXT
    assert len(bench.shop.paid) == 1


async def test_each_call_of_a_notebook_is_a_call_of_its_own(bench: Bench, pay: Tool) -> None:
    """Without a node and without a tool call id nothing says that two calls are one."""
    await pay.ainvoke({"amount": 7})
    await pay.ainvoke({"amount": 7})
    assert len(bench.shop.paid) == 2


async def test_a_tool_call_id_is_one_logical_call(bench: Bench, pay: Tool) -> None:
    """Asked for again it is answered from the ledger; another id is another effect."""
    call = {"type": "tool_call", "name": "pay", "id": "c1", "args": {"amount": 7}}
    first = await pay.ainvoke(call)
    assert await pay.ainvoke(call) == first
    assert len(bench.shop.paid) == 1
    await pay.ainvoke({**call, "id": "c2"})
    assert len(bench.shop.paid) == 2


async def test_a_call_does_not_take_over_from_a_live_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call beside it, in one process: it looks again until the first one has answered."""
    made = bench.tool("idempotent")
    begun, release, looked = asyncio.Event(), asyncio.Event(), asyncio.Event()
    conflicts = 0

    async def hold(point: str) -> None:
        if point == "before":
            begun.set()
            await release.wait()

    async def pause(_: float) -> None:
        nonlocal conflicts
        conflicts += 1
        if conflicts == 3:
            looked.set()
            await first

    bench.shop.behave = hold
    port = direct(bench, made)
    first = asyncio.ensure_future(port.call_tool(made.contract, {"amount": 7}, "c1"))
    await begun.wait()
    monkeypatch.setattr("interlock.approvals.direct.asyncio.sleep", pause)
    second = asyncio.ensure_future(port.call_tool(made.contract, {"amount": 7}, "c1"))
    await asyncio.wait(
        {second, asyncio.ensure_future(looked.wait())}, return_when="FIRST_COMPLETED"
    )
    assert (looked.is_set(), bench.shop.attempts) == (True, 1)
    release.set()
    assert await first == await second == {"paid": 7}
    assert (bench.shop.attempts, bench.observer.incidents) == (1, [])


async def test_a_denied_call_is_not_made(bench: Bench, pay: Tool) -> None:
    """The reason comes with the refusal."""
    with pytest.raises(ActionDenied, match=r"approvals\.high = deny"):
        await pay.ainvoke({"amount": 100})
    assert bench.shop.attempts == 0


async def test_bad_arguments_are_the_models(bench: Bench, pay: Tool) -> None:
    """Validation comes before judgement."""
    with pytest.raises(BadArguments, match="'amount'"):
        await pay.ainvoke({"amount": "much"})


async def test_a_tool_of_another_application_is_unknown(bench: Bench, pay: Tool) -> None:
    """The gateway makes only its own tools' calls."""

    @tool(effect=Effect.READ)
    def look(at: str) -> str:
        """Look."""
        raise AssertionError

    with pytest.raises(UnknownTool, match="'look'"):
        await look.ainvoke({"at": "x"})


async def test_without_a_graph_nobody_can_be_asked(bench: Bench, pay: Tool) -> None:
    """The error says where the call has to be made."""
    with pytest.raises(NoPort, match="no graph runs that could wait"):
        await pay.ainvoke({"amount": 10})
    assert bench.shop.attempts == 0


@pytest.mark.parametrize(
    "decision",
    [{"verb": "approve"}, {"verb": "approve", "reviewer": "rita", "comment": "go"}],
)
async def test_an_approved_call_is_made_under_the_decision(
    bench: Bench, pay: Tool, decision: Any
) -> None:
    """The effect consumes the request that was decided."""
    with opened(answering(bench, pay, decision)):
        assert await pay.ainvoke({"amount": 10}) == {"paid": 10}
    (row,) = await bench.ledger.rows()
    assert row.request_id is not None
    assert row.request_id.startswith("call:1:")


async def test_a_decision_object_is_as_good_as_its_json(bench: Bench, pay: Tool) -> None:
    """A typed decision carries its own request id and digest."""

    def decide(request: dict[str, Any]) -> Decision:
        assert request["why"].endswith("approvals.medium = ask.")
        assert request["arguments"] == {"amount": 10}
        return Decision(request_id=request["id"], digest=request["digest"], verb="approve")

    with opened(direct(bench, pay, ask=decide)):
        assert await pay.ainvoke({"amount": 10}) == {"paid": 10}


class Paid:
    """Effects that were made before."""

    async def made(self, where: EffectFilter) -> list[tuple[str, dict[str, Any]]]:
        """Return one of the tenant of the calls."""
        assert where.tenant == CONTEXT.tenant
        return [("pay", {"amount": 95})]


async def test_a_policy_file_is_judged_with_totals_and_terms(
    bench: Bench, pay: Tool, tmp_path: Path
) -> None:
    """As in a workflow: the total counts what was paid, and the rule's deadline is the request's."""
    (tmp_path / "p.yaml").write_text(
        "totals: {paid: {tool: pay, sum: args.amount, per: tenant, window: 1d}}\n"
        "rules:\n"
        "  - {name: over, when: totals.paid + args.amount > 100, then: {ask: {deadline: 2h}}}\n"
        "  - {name: rest, then: allow}\n"
    )
    policy = load_rules(tmp_path / "p.yaml", [pay.contract])
    shown = []

    def decide(request: dict[str, Any]) -> dict[str, str]:
        shown.append(request)
        return {"verb": "approve"}

    gateway = bench.gateway(pay)
    terms = {"deadline_seconds": 60, "grant_seconds": 60}
    port = DirectTools(
        gateway, policy, CONTEXT, clock=bench.clock, effects=Paid(), ask=decide, **terms
    )
    with opened(port):
        assert await pay.ainvoke({"amount": 5}) == {"paid": 5}
        assert await pay.ainvoke({"amount": 6}) == {"paid": 6}
    (request,) = shown
    assert request["arguments"] == {"amount": 6}
    waits = [datetime.fromisoformat(request[key]) for key in ("expires_at", "requested_at")]
    assert waits[0] - waits[1] == timedelta(hours=2)


async def test_a_rejected_call_is_not_made(bench: Bench, pay: Tool) -> None:
    """The comment reaches the agent."""
    port = answering(bench, pay, {"verb": "reject", "comment": "not today"})
    with opened(port), pytest.raises(ApprovalRejected, match="not today"):
        await pay.ainvoke({"amount": 10})
    assert bench.shop.attempts == 0


async def test_a_response_stands_in_for_the_tool(bench: Bench, pay: Tool) -> None:
    """Nothing is called and nothing claimed."""
    with opened(answering(bench, pay, {"verb": "respond", "result": {"paid": 0}})):
        assert await pay.ainvoke({"amount": 10}) == {"paid": 0}
    assert await bench.ledger.rows() == []


async def test_an_edit_is_done_instead(bench: Bench, pay: Tool) -> None:
    """The edited arguments are what is called, recorded and bound to the decision."""
    with opened(answering(bench, pay, {"verb": "edit", "arguments": {"amount": "11"}})):
        assert await pay.ainvoke({"amount": 10}) == {"paid": 11}
    (row,) = await bench.ledger.rows()
    assert row.arguments == {"amount": 11}


@pytest.mark.parametrize(
    ("decision", "error"),
    [
        ({"verb": "edit", "arguments": {"amount": 100}}, ActionDenied),
        ({"verb": "edit", "arguments": {"amount": "much"}}, DecisionRefused),
        ({"verb": "edit"}, DecisionRefused),
        ({"verb": "respond", "result": "by hand"}, DecisionRefused),
        ({"verb": "happened"}, DecisionRefused),
        ({"verb": "approve", "digest": "0" * 64}, DecisionRefused),
        ({"verb": "approve", "request_id": "another"}, DecisionRefused),
        ({"verb": "maybe"}, DecisionRefused),
        ("yes", DecisionRefused),
        (True, DecisionRefused),
    ],
)
async def test_a_decision_that_does_not_count_makes_no_call(
    bench: Bench, pay: Tool, decision: Any, error: type[Exception]
) -> None:
    """The rules are those of a run's desk; an edit is judged again."""
    with opened(answering(bench, pay, decision)), pytest.raises(error):
        await pay.ainvoke({"amount": 10})
    assert bench.shop.attempts == 0


async def test_two_people_are_asked_one_after_the_other(bench: Bench, pay: Tool) -> None:
    """The second sees the first's vote; the same one twice is refused, and nothing is paid."""
    ann, ben = ({"verb": "approve", "reviewer": name} for name in ("ann", "ben"))
    answers = Answers(ann, ben)
    with by_two(bench, pay, answers):
        assert await pay.ainvoke({"amount": 7}) == {"paid": 7}
    assert answers.voters == [[], ["ann"]]
    with by_two(bench, pay, Answers(ann, ann)), pytest.raises(DecisionRefused) as refused:
        await pay.ainvoke({"amount": 8})
    assert refused.value.details["refusal"] == "ALREADY_VOTED"
    assert len(bench.shop.paid) == 1


async def test_an_edit_is_one_of_the_two_and_told_to_a_model(bench: Bench, pay: Tool) -> None:
    """The edited action is asked about again, and paid once somebody else agrees."""
    edit = {"verb": "edit", "arguments": {"amount": 8}, "reviewer": "ann", "comment": "half"}
    answers = Answers(edit, {"verb": "approve", "reviewer": "ben"})
    call = {"type": "tool_call", "name": "pay", "id": "c1", "args": {"amount": 16}}
    with by_two(bench, pay, answers):
        message = await pay.ainvoke(call)
    assert answers.voters == [[], ["ann"]]
    assert [amount for _, amount in bench.shop.paid] == [8]
    assert "amount: 16 -> 8. Why: half" in message.content


async def test_attempts_are_made_here(bench: Bench, pay: Tool) -> None:
    """What Temporal would repeat is repeated in the process."""
    failures: list[Exception] = [ToolUnavailable("down")]

    def behave(point: str) -> None:
        if point == "before" and failures:
            raise failures.pop()

    bench.shop.behave = behave
    assert await pay.ainvoke({"amount": 7}) == {"paid": 7}
    assert bench.shop.attempts == 2


async def test_attempts_end(bench: Bench) -> None:
    """When they are used up the call has failed."""

    def behave(_: str) -> None:
        raise ToolUnavailable("down")

    bench.shop.behave = behave
    made = bench.tool("external", attempts=2)
    with opened(direct(bench, made)), pytest.raises(ToolUnavailable, match="did not happen"):
        await made.ainvoke({"amount": 7})
    assert bench.shop.attempts == 2


async def test_an_unknown_outcome_is_raised(bench: Bench) -> None:
    """There is no desk to ask at; the error carries what is known."""

    def behave(point: str) -> None:
        if point == "after":
            raise ConnectionError("reset")

    bench.shop.behave = behave
    bench.clock = lambda: datetime.now(UTC)  # type: ignore[assignment]
    made = bench.tool("external", timeout_seconds=0.2)
    with opened(direct(bench, made)), pytest.raises(OutcomeUnknown) as caught:
        await made.ainvoke({"amount": 7})
    (row,) = await bench.ledger.rows()
    assert (row.state, caught.value.details["known"]["token"]) == (LedgerState.UNKNOWN, row.token)
    assert len(bench.shop.paid) == 1


class State(TypedDict, total=False):
    paid: list[Any]
    answer: str


def graph_of(node: Any) -> Any:
    """Compile a graph of one node with a checkpointer."""
    builder = StateGraph(State)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    return builder.compile(checkpointer=InMemorySaver())


async def test_a_graph_waits_for_the_decision(bench: Bench, pay: Tool) -> None:
    """The request is LangGraph's interrupt, and `Command(resume=...)` is the decision."""

    async def node(state: State) -> State:
        return {"paid": [await pay.ainvoke({"amount": 10})]}

    graph, config = graph_of(node), {"configurable": {"thread_id": "1"}}
    paused = await graph.ainvoke({}, config)
    (asked,) = paused["__interrupt__"]
    assert asked.value["tool"] == "pay"
    assert asked.value["allowed"] == ["approve", "edit", "reject", "respond"]
    assert bench.shop.attempts == 0
    done = await graph.ainvoke(Command(resume={"verb": "approve"}), config)
    assert done["paid"] == [{"paid": 10}]
    assert len(bench.shop.paid) == 1


async def test_an_effect_before_an_interrupt_is_made_once(bench: Bench, pay: Tool) -> None:
    """The node runs from its top again; its calls are the same logical calls."""

    async def node(state: State) -> State:
        paid = [await pay.ainvoke({"amount": 7}), await pay.ainvoke({"amount": 7})]
        return {"paid": paid, "answer": interrupt("and?")}

    graph, config = graph_of(node), {"configurable": {"thread_id": "1"}}
    await graph.ainvoke({}, config)
    assert len(bench.shop.paid) == 2
    done = await graph.ainvoke(Command(resume="on"), config)
    assert done == {"paid": [{"paid": 7}, {"paid": 7}], "answer": "on"}
    assert len(bench.shop.paid) == 2


async def test_tool_node_asks_for_each_call(bench: Bench, pay: Tool) -> None:
    """Two tool calls with equal arguments are two requests and two effects."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([pay]))
    builder.add_edge(START, "tools")
    graph = builder.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    calls = [{"name": "pay", "args": {"amount": 10}, "id": name} for name in ("c1", "c2")]
    paused = await graph.ainvoke({"messages": [AIMessage("", tool_calls=calls)]}, config)
    asked = 0
    while "__interrupt__" in paused:
        asked += 1
        paused = await graph.ainvoke(Command(resume={"verb": "approve"}), config)
    assert asked == 2
    assert len(bench.shop.paid) == 2
    assert [one.content for one in paused["messages"][1:]] == ['{"paid": 10}', '{"paid": 10}']
