"""A history reads as what a person wants to know of a run, also while the run goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from interlock.errors import RunNotFound
from interlock.replay import Step, StepReader, follow, read_steps, totals
from interlock.replay.steps import (
    ActivityRan,
    Asked,
    Decided,
    Ended,
    Judged,
    ModelCalled,
    NodeRan,
    Opened,
    Received,
    Started,
    ToolCalled,
    Withdrawn,
)
from interlock.testing import WorkerEnv
from interlock.workflows.contract import Usage
from tests.replay.deployment import NAMES, golden


def kinds(steps: Iterable[Step]) -> list[str]:
    """Kinds of steps, each with what it is about."""
    subjects = ("tool", "role", "node", "status", "verb")
    return [
        " ".join(
            [step.kind, *(str(getattr(step, s)) for s in subjects if getattr(step, s, ""))][:2]
        )
        for step in steps
    ]


def test_an_approved_run_reads_from_start_to_end() -> None:
    """Every door call, request and decision is a step, in the order in which they were over."""
    steps = read_steps(golden("approved").events)
    assert kinds(steps) == [
        "started",
        "opened",
        *["verdict price_of", "tool price_of"] * 3,
        "node add_up",
        "model fast",
        "asked question",
        "decided respond",
        "verdict pay",
        "asked pay",
        "decided approve",
        "tool pay",
        "ended completed",
    ]
    assert [step.event_id for step in steps] == sorted(step.event_id for step in steps)


def test_steps_tell_what_went_in_and_out() -> None:
    """Messages, answers, arguments, results, who decided, tokens and time."""
    steps = read_steps(golden("approved").events)
    (started,) = [step for step in steps if isinstance(step, Started)]
    assert (started.agent, started.tenant) == ("everything", "default")
    assert started.input["articles"] == ["lamp", "rug", "vase"]
    (opened,) = [step for step in steps if isinstance(step, Opened)]
    assert len(opened.release) == 12
    (model,) = [step for step in steps if isinstance(step, ModelCalled)]
    assert [(said.role, said.text) for said in model.new_messages] == [
        ("user", "buy these"),
        ("assistant", "sum 11"),
    ]
    assert model.answer is not None
    assert (model.node, model.model, model.answer.text) == (
        "ask",
        "scripted:script.json",
        "I would buy.",
    )
    assert model.input_tokens > 0
    assert model.seconds is not None
    (node,) = [step for step in steps if isinstance(step, NodeRan)]
    assert (node.node, node.input["total"], node.result["total"]) == ("add_up", 0, 11)
    paid = next(step for step in steps if isinstance(step, ToolCalled) and step.tool == "pay")
    assert paid.arguments == {"account": "approved", "amount": 22}
    assert (paid.status, paid.result, paid.reviewer) == ("done", "paid 22", "tester")
    asked = [step for step in steps if isinstance(step, Asked)][-1]
    assert paid.request_id == asked.request_id
    assert (asked.risk, asked.seconds_to_decide) == ("high", 7 * 86400.0)
    assert "high risk" in asked.why


def test_a_request_shows_the_arguments_that_the_model_wants() -> None:
    """They are found by the tool call's id, before the call is made; the edit shows later."""
    steps = read_steps(golden("edited").events)
    (asked,) = [step for step in steps if isinstance(step, Asked)]
    assert asked.arguments == {"account": "once", "amount": 7}
    (decided,) = [step for step in steps if isinstance(step, Decided)]
    assert (decided.verb, decided.accepted, decided.reviewer) == ("edit", True, "ann")
    assert decided.arguments == {"account": "once", "amount": 3}
    (paid,) = [step for step in steps if isinstance(step, ToolCalled) and step.tool == "pay"]
    assert (paid.arguments, paid.result) == ({"account": "once", "amount": 3}, "paid 3")


def test_local_calls_show_what_they_were_asked() -> None:
    """A call that was judged on the way has the arguments of its verdict, also beside others."""
    (alone,) = local_calls("edited")
    assert (alone.tool, alone.arguments, alone.result) == ("price_of", {"article": "lamp"}, 4)
    together = local_calls("approved")
    found = sorted((step.arguments["article"], step.result) for step in together if step.arguments)
    assert found == [("lamp", 4), ("rug", 3), ("vase", 4)]


def local_calls(name: str) -> list[ToolCalled]:
    """Calls of local tools in a recorded run."""
    steps = read_steps(golden(name).events)
    return [step for step in steps if isinstance(step, ToolCalled) and step.local]


def test_decisions_that_did_not_count_say_why() -> None:
    """By signal what the history shows, by update the answer that was given."""
    steps = read_steps(golden("cancelled").events)
    refused = [step for step in steps if isinstance(step, Decided) and not step.accepted]
    assert sorted(step.code for step in refused) == [
        "DIGEST_MISMATCH",
        "MALFORMED",
        "UNKNOWN_REQUEST",
    ]
    assert kinds(steps)[-3:] == ["cancel_asked", "withdrawn", "ended cancelled"]
    ended = steps[-1]
    assert isinstance(ended, Ended)
    assert (ended.status, ended.result["reason"]) == ("cancelled", "enough")


def test_a_review_by_several_reads_as_what_each_of_them_did() -> None:
    """A vote says how many are missing; each request is its own; reminders are shown, signatures not."""
    steps = read_steps(golden("tiers").events)
    decided = [step for step in steps if isinstance(step, Decided)]
    assert [(step.verb, step.reviewer, step.accepted, step.missing) for step in decided] == [
        ("approve", "ann", True, 1),
        ("edit", "lea", True, 0),
        ("approve", "luc", True, 0),
    ]
    assert [step.tool for step in steps if isinstance(step, Asked)] == ["pay", "pay"]
    told = [step.name for step in steps if isinstance(step, ActivityRan)]
    assert told == ["approvals.notify"] * 3
    assert not any(isinstance(step, Withdrawn) for step in steps)


def test_a_failed_run_ends_with_its_code() -> None:
    """The failure has code, message, node and tool."""
    ended = read_steps(golden("rejected").events)[-1]
    assert isinstance(ended, Ended)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == ("failed", "APPROVAL_REJECTED")
    assert (ended.error.details["node"], ended.error.details["tool"]) == ("settle", "pay")


def test_a_chain_reads_as_one() -> None:
    """One reader takes run after run; the first ends with where the second begins."""
    reader = StepReader()
    first, second = (
        [step for event in golden(name).events for step in reader.feed(event)]
        for name in ("chain-1", "chain-2")
    )
    ended, started = first[-1], second[0]
    assert isinstance(ended, Ended)
    assert isinstance(started, Started)
    assert (ended.status, ended.next_run_id) == ("continued_as_new", golden("chain-2").run_id)
    assert started.continued
    texts = [step.message for step in (*first, *second) if isinstance(step, Received)]
    assert texts == [f"talk {number}" for number in range(1, len(texts) + 1)]
    answers = [step for step in (*first, *second) if isinstance(step, ModelCalled)]
    assert [step.call_id for step in answers] == [f"m{n}" for n in range(1, len(answers) + 1)]


@pytest.mark.parametrize("name", sorted({*NAMES} - {"knowledge-refresh"}))
def test_totals_agree_with_what_the_run_counted(name: str) -> None:
    """Calls, tokens, models and cost are those of the run's own result, through all of a chain."""
    parts = [name.replace("-2", "-1"), name] if name.endswith("-2") else [name]
    steps = [step for part in parts for step in read_steps(golden(part).events)]
    found = totals(steps)
    ended = steps[-1]
    assert isinstance(ended, Ended)
    if ended.result is None:
        assert found.model_calls > 0
        return
    usage = Usage.model_validate(ended.result["usage"])
    assert found.model_calls == usage.model_calls
    assert found.tool_calls == usage.tool_calls
    assert found.models == usage.models
    assert (found.input_tokens, found.output_tokens) == (usage.input_tokens, usage.output_tokens)
    assert (found.cost_usd, found.unpriced_calls) == (usage.cost_usd, usage.unpriced_calls)


def test_totals_of_nothing() -> None:
    """No steps add up to zeros."""
    assert totals([]).model_dump(exclude_defaults=True) == {}


async def test_a_run_is_followed_as_it_happens(env: WorkerEnv) -> None:
    """The request is seen while the run waits; after the decision the rest comes, to the end."""
    given = {"messages": ["buy these"], "account": "followed", "articles": ["lamp", "vase"]}
    handle = await env.start("everything", given)
    seen: list[Step] = []
    async with asyncio.timeout(60):
        async for step in follow(env.client, handle.id):
            seen.append(step)
            if isinstance(step, Asked):
                (request,) = await env.open_requests(handle)
                assert request.id == step.request_id
                verb = "respond" if step.tool == "question" else "approve"
                await env.decide(
                    handle, request, verb, **({"result": "yes"} if verb == "respond" else {})
                )
    assert kinds(seen)[-3:] == ["decided approve", "tool pay", "ended completed"]
    assert seen == read_steps((await handle.fetch_history()).events)


async def test_a_followed_conversation_goes_on_in_its_next_run(env: WorkerEnv) -> None:
    """Following does not stop where the run continues as new."""
    handle = await env.start("talker", "talk 0", conversation=True)
    sent, runs_seen = 0, 0
    async with asyncio.timeout(60):
        async for step in follow(env.client, handle.id, handle.first_execution_run_id):
            runs_seen += isinstance(step, Started)
            if isinstance(step, ModelCalled) and runs_seen < 2:
                sent += 1
                await handle.signal("send_message", f"talk {sent}")
            elif isinstance(step, ModelCalled):
                await handle.signal("cancel_run", "enough")
    assert runs_seen == 2
    assert isinstance(step, Ended)
    assert step.status == "cancelled"


async def test_following_a_run_that_is_not_there(env: WorkerEnv) -> None:
    """The error names it."""
    with pytest.raises(RunNotFound, match="'nobody'"):
        async for _ in follow(env.client, "nobody"):
            pass


def test_a_verdict_is_read_with_its_reason() -> None:
    """Outcome, reason, risk and policy version are there."""
    verdicts = [step for step in read_steps(golden("edited").events) if isinstance(step, Judged)]
    assert [(step.tool, step.outcome) for step in verdicts] == [
        ("pay", "ask"),
        ("price_of", "allow"),
        ("pay", "ask"),
    ]
    assert all(step.reason and step.policy for step in verdicts)
