"""Tiers, quorum, deadlines and reminders, on a server whose clock jumps to the next timer.

Times are those of the server: what has to happen at a moment happens in its second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from langchain.agents.middleware import HumanInTheLoopMiddleware, InterruptOnConfig
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from interlock import app
from interlock.approvals import desk
from interlock.approvals.contract import Notice
from interlock.approvals.verification import Notify
from interlock.audit import EventFilter
from interlock.settings import Settings
from interlock.testing import worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID, shopper
from tests.workflow.people import (
    ANN,
    BEN,
    LEA,
    LUC,
    OLGA,
    SIGNED,
    decide,
    paying,
    person,
    send,
    signed,
)
from tests.workflow.skipping import (
    HOUR,
    MINUTE,
    World,
    asked,
    forgotten_runs,
    noted,
    skipping_server,
    waiting,
)

TIERS = """
tiers:
  desk: {who: reviewer, quorum: 2, deadline: 4h, remind_every: 1h, escalate_to: lead}
  lead: {who: lead, deadline: 1h, remind_every: 25m, escalate_to: owner}
  owner: {who: "user:olga", deadline: 2d}
"""
RULES = """
rules:
  - {name: free, tool: pay_small, then: allow}
  - {name: named, tool: pay, labels: caller, when: "args.amount == 55", then: {ask: {tier: lead}}}
  - {name: never, tool: pay, when: "args.amount > 900", then: {deny: Too much.}}
  - {name: ladder, tool: pay, when: "args.amount > 100", then: {ask: {tier: desk}}}
  - {name: default, tool: pay, when: "args.amount > 50", then: {ask: {tier: lead, on_timeout: allow}}}
  - {name: months, tool: pay, when: "args.amount > 40", then: {ask: {deadline: 90d, remind_every: 1h}}}
  - {name: node, tool: pay, when: "args.amount == 39 && context.node == 'tools'", then: {ask: {tier: lead}}}
  - {name: two, tool: pay, when: "args.amount > 20", then: {ask: {quorum: 2}}}
  - {name: one, tool: pay, then: {ask: {tier: owner}}}
"""
pytestmark = forgotten_runs

ONLY_YES: InterruptOnConfig = {"allowed_decisions": ["approve"]}


NAMES: dict[str, tuple[int, ...]] = {
    "quorum": (101,),
    "escalated": (102,),
    "nobody": (103,),
    "unanswered": (51,),
    "shut out": (52,),
    "months": (41,),
    "rejected": (104,),
    "changed": (105,),
    "votes": (106,),
    "asked by both": (107,),
    "edited by both": (108,),
    "denied by one": (901,),
    "by node": (39,),
    "named aloud": (55,),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A deployment with tiers, which takes signed decisions only."""
    folder = tmp_path_factory.mktemp("tiers")
    (folder / "rules.yaml").write_text(TIERS + RULES, encoding="utf-8")
    conversations = {name: paying(name, *amounts) for name, amounts in NAMES.items()}
    conversations["only yes"] = paying("only yes", 1, tool="pay_small")
    async with (
        skipping_server() as server,
        worker_env(
            server.client,
            folder,
            agents=[
                shopper(),
                shopper(HumanInTheLoopMiddleware(interrupt_on={"pay": True}), name="reviewed"),
                shopper(
                    HumanInTheLoopMiddleware(interrupt_on={"pay_small": ONLY_YES}), name="strict"
                ),
            ],
            script={"conversations": conversations},
            approvals={**SIGNED, "policy": str(folder / "rules.yaml")},
        ) as env,
    ):
        yield World(env, server)


async def paid_after(world: World, handle: Handle, name: str) -> list[int]:
    """What a run paid, once it is over; it replays."""
    assert (await world.env.result(handle)).reply == "Done."
    await world.env.replay(handle)
    return PAID[name]


async def test_nobody_decides(world: World) -> None:
    """Each tier is reminded and gives way in its second; then nothing is done, and it is too late."""
    handle, action = await asked(world, "nobody", conversation=True)
    await world.server.sleep(5 * HOUR + timedelta(days=2) + MINUTE)
    late = await decide(handle, action, OLGA)
    assert (late.accepted, late.code) == (False, "EXPIRED")
    assert await noted(world, handle) == [
        ("requested", "desk", 0 * HOUR),
        ("reminded", "desk", 1 * HOUR),
        ("reminded", "desk", 2 * HOUR),
        ("reminded", "desk", 3 * HOUR),
        ("escalated", "lead", 4 * HOUR),
        ("reminded", "lead", 4 * HOUR + 25 * MINUTE),
        ("reminded", "lead", 4 * HOUR + 50 * MINUTE),
        ("escalated", "owner", 5 * HOUR),
        ("expired", "", timedelta(days=2) + 5 * HOUR),
    ]
    history = str(await handle.fetch_history())
    assert history.count('name: "approvals.notify"') == 7
    await handle.signal("cancel_run")
    await world.env.result(handle)
    assert PAID["nobody"] == []
    await world.env.replay(handle)


async def test_as_many_different_people_as_the_tier_needs(world: World) -> None:
    """One person counts once; who has approved is shown and recorded; the last one lets it happen."""
    handle, action = await asked(world, "quorum")
    first = await decide(handle, action, ANN, comment="fine")
    assert (first.accepted, first.missing) == (True, 1)
    again = await decide(handle, action, ANN)
    assert (again.accepted, again.code) == (False, "ALREADY_VOTED")
    assert (await decide(handle, action, LEA)).code == "NOT_A_REVIEWER"
    (seen,) = await world.env.open_requests(handle)
    assert [(vote.reviewer, vote.verified, vote.comment) for vote in seen.votes] == [
        ("ann", True, "fine")
    ]
    assert PAID["quorum"] == []
    last = await decide(handle, action, BEN)
    assert (last.accepted, last.missing) == (True, 0)
    assert await paid_after(world, handle, "quorum") == [101]
    outcomes = [outcome for outcome, _, _ in await noted(world, handle)]
    assert outcomes == ["requested", "voted", "approve"]


async def test_one_no_ends_it(world: World) -> None:
    """Whoever has approved may still say no; an approval before it does not count any more."""
    handle, action = await asked(world, "rejected")
    assert (await decide(handle, action, ANN)).missing == 1
    assert (await decide(handle, action, ANN, "reject", comment="I was wrong")).accepted
    assert await paid_after(world, handle, "rejected") == []


async def test_the_next_tier_counts_anew(world: World) -> None:
    """What was signed for the tier before is no vote, and cannot be sent again."""
    handle, action = await asked(world, "votes")
    both = person("bea", "reviewer", "lead")
    early = signed(action, both)
    assert (await send(handle, early)).missing == 1
    await world.server.sleep(4 * HOUR - MINUTE)
    (before,) = await world.env.open_requests(handle)
    assert (before.tier.tier, len(before.votes)) == ("desk", 1)
    await world.server.sleep(2 * MINUTE)
    (after,) = await world.env.open_requests(handle)
    assert (after.tier.tier, after.tier.who, after.votes) == ("lead", ("lead",), ())
    assert (await decide(handle, action, ANN)).code == "NOT_A_REVIEWER"
    assert (await send(handle, early)).code == "REPLAYED"
    assert (await decide(handle, action, both)).accepted
    assert await paid_after(world, handle, "votes") == [106]


async def test_what_the_policy_allows_when_nobody_decides(world: World) -> None:
    """It is done in the second in which the last tier's time is over, and needs no signature."""
    handle, _ = await asked(world, "unanswered")
    await world.server.sleep(timedelta(days=2) + HOUR + MINUTE)
    assert await paid_after(world, handle, "unanswered") == [51]
    last = (await noted(world, handle))[-2:]
    assert last == [
        ("expired", "", timedelta(days=2) + HOUR),
        ("approve", "", timedelta(days=2) + HOUR),
    ]


async def test_where_nobody_could_say_no_silence_allows_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forged decisions use up the looks at signatures; the agent and the audit are told why."""
    monkeypatch.setattr(desk, "MOST_VERIFIED", 3)
    handle, action = await asked(world, "shut out")
    forged = {**signed(action, LEA), "comment": "forged"}
    shapeless = {**forged, "signature": "-"}
    no = signed(action, LEA, "reject")
    answers = [await send(handle, said) for said in (*[shapeless] * 4, *[forged] * 3, no)]
    assert [answer.code for answer in answers] == ["FORGED"] * 7 + ["TOO_MANY_DECISIONS"]
    await world.server.sleep(timedelta(days=2) + HOUR + MINUTE)
    assert await paid_after(world, handle, "shut out") == []
    told = (await handle.query("transcript"))[-2]["data"]["content"]
    assert "it was not done. 200 signed decisions on it were looked at" in told
    where = EventFilter(workflow_id=handle.id, kind="decision")
    last = (await world.env.app.audit.events(where))[-1]
    assert (last.outcome, last.details["code"]) == ("expired", "TOO_MANY_DECISIONS")


async def test_what_reached_a_call_is_known_as_long_as_it_waits(world: World) -> None:
    """Also when the worker forgot the run meanwhile; the deadline holds as for any other request."""
    handle, action = await asked(world, "named aloud")
    (span,) = action.spans
    assert (span.argument, span.label) == ("account", "caller")
    await world.server.sleep(30 * MINUTE)
    (later,) = await waiting(world, handle)
    assert later.spans == action.spans
    await world.server.sleep(timedelta(days=3))
    assert await paid_after(world, handle, "named aloud") == []


async def test_a_wait_of_months_is_a_small_history(world: World) -> None:
    """Twenty reminders and no more; on the 89th day the approval counts."""
    handle, action = await asked(world, "months")
    await world.server.sleep(timedelta(days=89))
    assert (await decide(handle, action, ANN)).accepted
    assert await paid_after(world, handle, "months") == [41]
    reminders = [at for outcome, _, at in await noted(world, handle) if outcome == "reminded"]
    assert reminders == [number * HOUR for number in range(1, 21)]
    assert len((await handle.fetch_history()).events) < 320


async def test_an_edit_counts_for_whoever_made_it(world: World) -> None:
    """The edited action needs two by its own rule: the one who edited, and another one."""
    handle, action = await asked(world, "changed")
    edit = {"account": "changed", "amount": 25}
    assert (await decide(handle, action, ANN, "edit", arguments=edit, comment="a typo")).accepted
    (second,) = await waiting(world, handle)
    assert (second.arguments, second.digest != action.digest) == (edit, True)
    assert [vote.reviewer for vote in second.votes] == ["ann"]
    assert (await decide(handle, second, ANN)).code == "ALREADY_VOTED"
    assert (await decide(handle, action, BEN)).code == "ALREADY_DECIDED"
    assert PAID["changed"] == []
    assert (await decide(handle, second, BEN)).accepted
    assert await paid_after(world, handle, "changed") == [25]
    told = (await handle.query("transcript"))[-2]["data"]["content"]
    assert told == (
        "A reviewer changed this call before it was made: amount: 105 -> 25. Why: a typo\n\npaid 25"
    )


async def test_an_edit_into_what_others_decide_on_goes_to_them(world: World) -> None:
    """The word of whoever edited is no word of the owner's, who is asked alone."""
    handle, action = await asked(world, "escalated")
    edit = {"account": "escalated", "amount": 5}
    assert (await decide(handle, action, ANN, "edit", arguments=edit)).accepted
    (second,) = await waiting(world, handle)
    assert (second.tier.tier, second.tier.who, second.votes) == ("owner", ("user:olga",), ())
    assert (await decide(handle, second, ANN)).code == "NOT_A_REVIEWER"
    assert (await decide(handle, second, LUC)).code == "NOT_A_REVIEWER"
    assert (await decide(handle, second, OLGA)).accepted
    assert await paid_after(world, handle, "escalated") == [5]


async def test_a_middleware_asks_on_the_terms_of_the_policy(world: World) -> None:
    """One request: the two that the policy wants decide on what the middleware asks."""
    handle, action = await asked(world, "asked by both", "reviewed")
    assert (action.tier.tier, action.tier.quorum, len(action.tiers)) == ("desk", 2, 3)
    assert "Tool execution requires approval" in action.why
    assert "rule 'ladder'" in action.why
    assert (await decide(handle, action, ANN)).missing == 1
    assert (await decide(handle, action, BEN)).missing == 0
    assert await paid_after(world, handle, "asked by both") == [107]
    assert [outcome for outcome, _, _ in await noted(world, handle)].count("requested") == 1


async def test_a_decision_on_other_terms_is_no_decision_on_the_call(world: World) -> None:
    """A rule about the node that makes the call asks others than the middleware could know of."""
    handle, action = await asked(world, "by node", "reviewed")
    assert (action.tier.tier, action.tier.quorum) == ("", 2)
    await decide(handle, action, ANN)
    await decide(handle, action, BEN)
    while (found := (await waiting(world, handle))[0]).id == action.id:  # noqa: ASYNC110
        await asyncio.sleep(0.02)  # a query cannot be awaited
    assert (found.tier.tier, found.node) == ("lead", "tools")
    assert PAID["by node"] == []
    assert (await decide(handle, found, LEA)).accepted
    assert await paid_after(world, handle, "by node") == [39]


async def test_an_edit_through_a_middleware_is_judged_too(world: World) -> None:
    """It needs a second person; the model is told, and the call is made with what they agreed on."""
    handle, action = await asked(world, "edited by both", "reviewed")
    edit = {"account": "edited by both", "amount": 25}
    assert (await decide(handle, action, ANN, "edit", arguments=edit, comment="half")).accepted
    (second,) = await waiting(world, handle)
    assert [vote.reviewer for vote in second.votes] == ["ann"]
    assert (await decide(handle, second, BEN)).accepted
    assert await paid_after(world, handle, "edited by both") == [25]
    told = (await handle.query("transcript"))[-2]["data"]["content"]
    assert "amount: 108 -> 25. Why: half" in told


async def test_nobody_is_asked_about_what_the_policy_denies(world: World) -> None:
    """Also when a middleware would: the model reads why."""
    handle = await world.env.start("reviewed", "denied by one", lasts=timedelta(days=400))
    assert await paid_after(world, handle, "denied by one") == []
    told = (await handle.query("transcript"))[-2]["data"]["content"]
    assert "Too much. [rule 'never'" in told
    where = EventFilter(workflow_id=handle.id, kind="decision")
    assert await world.env.app.audit.events(where) == []


async def test_what_nobody_approved_is_not_done_where_only_yes_is_an_answer(world: World) -> None:
    """The policy would allow it, but the middleware asks: the run fails, and nothing is paid."""
    handle, action = await asked(world, "only yes", "strict")
    assert action.allowed == ("approve",)
    await world.server.sleep(timedelta(days=7) + MINUTE)
    with pytest.raises(WorkflowFailureError) as failed:
        await world.env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "APPROVAL_EXPIRED"
    assert PAID["only yes"] == []
    await world.env.replay(handle)


async def test_whom_nobody_can_reach_holds_nothing_up(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reminders that fail are recorded; the next ones and the escalation are in their seconds."""

    @asynccontextmanager
    async def deaf(_settings: Settings) -> AsyncIterator[Notify]:
        async def fails(notice: Notice) -> None:
            raise ConnectionError(f"nobody hears of {notice.kind}")

        yield fails

    monkeypatch.setattr(app, "open_notifier", deaf)
    (tmp_path / "rules.yaml").write_text(TIERS + RULES, encoding="utf-8")
    async with worker_env(
        world.server.client,
        tmp_path,
        agents=[shopper()],
        script={"conversations": {"unheard": paying("unheard", 109)}},
        approvals={**SIGNED, "policy": str(tmp_path / "rules.yaml")},
    ) as env:
        unheard = World(env, world.server)
        handle, action = await asked(unheard, "unheard")
        await world.server.sleep(4 * HOUR + 5 * MINUTE)
        assert (await decide(handle, action, LEA)).accepted
        assert await paid_after(unheard, handle, "unheard") == [109]
        happened = await noted(unheard, handle)
    assert [item for item in happened if item[0] != "not told"] == [
        ("requested", "desk", 0 * HOUR),
        ("reminded", "desk", 1 * HOUR),
        ("reminded", "desk", 2 * HOUR),
        ("reminded", "desk", 3 * HOUR),
        ("escalated", "lead", 4 * HOUR),
        ("approve", "", 4 * HOUR + 5 * MINUTE),
    ]
    assert [outcome for outcome, _, _ in happened].count("not told") == 4
