"""Attempts whose worker is gone: taken over after the deadline and a grace, by the token."""

from __future__ import annotations

import asyncio

import pytest

from interlock.audit.contract import LedgerState
from interlock.errors import LedgerConflict
from interlock.tools import Effect, Tool, ToolCall, tool
from interlock.tools.contract import ToolOutcome
from interlock.tools.gateway import ToolGateway
from tests.integration.tools.bench import GRACE, Bench, Killed

POINTS = (
    "before_claim",
    "after_claim",
    "before_call",
    "after_call",
    "before_settle",
    "after_settle",
)


def killed_at(bench: Bench, kind: str, point: str) -> ToolGateway:
    """Return the gateway of a worker that ends at a point."""

    async def probe(reached: str, _: ToolCall) -> None:
        if reached == point:
            raise Killed(point)

    return bench.gateway(bench.tool(kind), probe=probe)


@pytest.mark.parametrize("kind", ["reconciling", "idempotent", "idempotent_asked"])
@pytest.mark.parametrize("point", POINTS)
async def test_a_killed_worker_leaves_one_effect_and_its_result(
    bench: Bench, kind: str, point: str
) -> None:
    """Wherever the process ends, the next one finishes the call and the effect is made once."""
    with pytest.raises(Killed):
        await killed_at(bench, kind, point).run(bench.call())
    outcome = await bench.carry_out(bench.gateway(bench.tool(kind)))
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    assert len(bench.shop.paid) == 1
    assert (await bench.row()).state is LedgerState.DONE
    assert bench.observer.incidents == []


@pytest.mark.parametrize("point", POINTS)
async def test_without_reconcile_a_killed_worker_leaves_at_most_one_effect(
    bench: Bench, point: str
) -> None:
    """It is never silently repeated and never silently dropped: a person is asked."""
    with pytest.raises(Killed):
        await killed_at(bench, "external", point).run(bench.call())
    outcome = await bench.carry_out(bench.gateway(bench.tool("external")))
    expected = "done" if point in ("before_claim", "after_settle") else "unknown"
    assert outcome.status == expected
    assert len(bench.shop.paid) == (0 if point in ("after_claim", "before_call") else 1)


@pytest.mark.parametrize("kind", ["external", "reconciling"])
async def test_nobody_takes_a_row_over_before_deadline_and_grace(bench: Bench, kind: str) -> None:
    """The conflict says when to look again; the lost attempt may still be running until then."""
    await bench.lost_claim(bench.call(), seconds=5)
    gateway = bench.gateway(bench.tool(kind))
    for passed, left in ((0.0, 5 + GRACE), (4.0, 1 + GRACE), (1.0, GRACE)):
        bench.clock.advance(passed)
        with pytest.raises(LedgerConflict) as conflict:
            await gateway.run(bench.call(), attempt=2)
        assert conflict.value.details["retry_after_seconds"] == pytest.approx(left)
    assert bench.shop.attempts == bench.shop.asked == 0
    assert bench.observer.calls == []
    bench.clock.advance(GRACE)
    assert await gateway.run(bench.call(), attempt=5)


async def test_an_idempotent_call_that_was_missed_is_made_again_at_once(bench: Bench) -> None:
    """The other side knows both calls by one key; whoever still made the first changes nothing."""
    resume, reached = asyncio.Event(), asyncio.Event()

    async def pause(point: str, _: ToolCall) -> None:
        if point == "before_call":
            reached.set()
            await resume.wait()

    slow = asyncio.ensure_future(
        bench.gateway(bench.tool("idempotent"), probe=pause).run(bench.call())
    )
    await reached.wait()
    outcome = await bench.gateway(bench.tool("idempotent")).run(
        bench.call(), attempt=2, is_retry=True
    )
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    resume.set()
    assert (await slow).replayed
    assert len(bench.shop.paid) == 1
    assert (await bench.row()).token == 2
    assert len(bench.observer.incidents) == 1


async def test_another_call_of_the_same_effect_waits_for_the_first(bench: Bench) -> None:
    """It knows nothing of the other one: a reset run's call, or one of the same process."""
    await bench.lost_claim(bench.call(), seconds=5)
    gateway = bench.gateway(bench.tool("idempotent"))
    with pytest.raises(LedgerConflict):
        await gateway.run(bench.call(), attempt=1)
    with pytest.raises(LedgerConflict) as conflict:
        await gateway.run(bench.call(), attempt=2)
    assert conflict.value.details["retry_after_seconds"] == pytest.approx(5 + GRACE)
    assert bench.shop.attempts == 0


async def test_a_person_is_asked_about_an_idempotent_call_after_its_end(bench: Bench) -> None:
    """What may not be called again may still happen: nobody can say so before its deadline."""
    call = bench.call(grant=bench.grant(seconds=3), must_have_grant=True)
    await bench.lost_claim(call, seconds=5)
    bench.clock.advance(4)
    with pytest.raises(LedgerConflict):
        await bench.gateway(bench.tool("idempotent")).run(call, attempt=2, is_retry=True)
    bench.clock.advance(1 + GRACE)
    outcome = await bench.gateway(bench.tool("idempotent")).run(call, attempt=3)
    assert outcome.status == "unknown"


async def test_the_row_of_a_lost_attempt_is_asked_about_once(bench: Bench) -> None:
    """After deadline and grace one answer of `reconcile` is enough."""
    await bench.lost_claim(bench.call())
    bench.pass_deadline()
    outcome = await bench.gateway(bench.tool("reconciling")).run(bench.call(), attempt=2)
    assert outcome.status == "done"
    assert (bench.shop.asked, bench.shop.attempts) == (1, 1)
    assert (await bench.row()).token == 2


async def test_a_lost_attempt_is_not_called_again_under_an_expired_grant(bench: Bench) -> None:
    """`reconcile` may still find the effect; a new call would need a valid decision."""
    call = bench.call(grant=bench.grant(seconds=3), must_have_grant=True)
    await bench.lost_claim(call)
    bench.pass_deadline()
    outcome = await bench.gateway(bench.tool("reconciling")).run(call, attempt=2)
    assert (outcome.status, outcome.code) == ("refused", "APPROVAL_EXPIRED")
    assert bench.shop.attempts == 0


async def test_an_idempotent_lost_attempt_with_an_expired_grant_is_unknown(bench: Bench) -> None:
    """It may have happened, and it may not be called again."""
    call = bench.call(grant=bench.grant(seconds=3), must_have_grant=True)
    await bench.lost_claim(call)
    bench.pass_deadline()
    outcome = await bench.gateway(bench.tool("idempotent")).run(call, attempt=2)
    assert outcome.status == "unknown"
    assert "expired" in outcome.known["why"]


async def test_a_call_that_loses_every_worker_is_given_up(bench: Bench) -> None:
    """A tool that kills its process is not called for ever."""
    call = bench.call()
    gateway = killed_at(bench, "reconciling", "before_call")
    attempt = 0
    outcome: ToolOutcome | None = None
    while outcome is None:
        attempt += 1
        assert attempt < 30
        try:
            outcome = await gateway.run(call, attempt=attempt)
        except LedgerConflict as conflict:
            bench.clock.advance(conflict.details["retry_after_seconds"])
        except Killed:
            bench.pass_deadline(10)
    assert (outcome.status, outcome.code) == ("failed", "TOOL_UNAVAILABLE")
    assert "too many workers were lost" in outcome.message
    assert (await bench.row()).state is LedgerState.FAILED


def changed(bench: Bench, kind: str, *, asks_more: bool) -> Tool:
    """Return the paying tool as a later release has it: with a reason, or with one by default."""
    terms = {"reconciling": {"reconcile": bench.shop.find}, "external": {}}[kind]

    async def pay(amount: int, reason: str, call: ToolCall) -> dict[str, int]:
        """Pay."""
        raise AssertionError("nothing is paid under another contract")

    async def pay_by_default(amount: int, call: ToolCall, reason: str = "") -> dict[str, int]:
        """Pay."""
        raise AssertionError("nothing is paid under another contract")

    made = tool(name="pay", effect=Effect.EXTERNAL, timeout_seconds=5, **terms)
    return made(pay if asks_more else pay_by_default)


@pytest.mark.parametrize("asks_more", [True, False], ids=["other arguments", "another digest"])
@pytest.mark.parametrize(("kind", "status"), [("external", "unknown"), ("reconciling", "done")])
async def test_a_call_that_was_begun_is_ended_under_another_contract(
    bench: Bench, kind: str, status: str, asks_more: bool
) -> None:
    """The new worker's tool takes other arguments: that is no word on what the lost one did."""
    call = bench.call(grant=bench.grant(seconds=600), must_have_grant=True)
    with pytest.raises(Killed):
        await killed_at(bench, kind, "after_call").run(call)
    bench.pass_deadline()
    later = bench.gateway(changed(bench, kind, asks_more=asks_more))
    outcome = await bench.carry_out(later, call)
    assert outcome.status == status
    assert len(bench.shop.paid) == 1


@pytest.mark.parametrize("asks_more", [True, False], ids=["other arguments", "another digest"])
@pytest.mark.parametrize(
    ("resolution", "state"),
    [
        ("happened", LedgerState.DONE),
        ("abort", LedgerState.ABORTED),
        ("did_not_happen", LedgerState.FAILED),
    ],
)
async def test_a_word_counts_under_another_contract(
    bench: Bench, resolution: str, state: LedgerState, asks_more: bool
) -> None:
    """What a person says of the lost call ends it; the model is not told to correct itself."""
    call = bench.call(grant=bench.grant(seconds=600), must_have_grant=True)
    with pytest.raises(Killed):
        await killed_at(bench, "external", "after_claim").run(call)
    bench.pass_deadline()
    later = bench.gateway(changed(bench, "external", asks_more=asks_more))
    unknown = await bench.carry_out(later, call)
    word = call.model_copy(
        update={
            "resolution": resolution,
            "resolved_token": unknown.known["token"],
            "resolved_result": {"paid": 7},
        }
    )
    outcome = await bench.carry_out(later, word)
    refusal = "BAD_ARGUMENTS" if asks_more else "DIGEST_MISMATCH"
    told = {"happened": "", "abort": "EFFECT_ABORTED", "did_not_happen": refusal}
    assert (outcome.code or "", (await bench.row()).state) == (told[resolution], state)


@pytest.mark.parametrize(
    ("asks_more", "code"), [(True, "BAD_ARGUMENTS"), (False, "DIGEST_MISMATCH")]
)
async def test_what_was_not_begun_is_refused_under_another_contract(
    bench: Bench, asks_more: bool, code: str
) -> None:
    """Nothing is claimed; the model, or whoever decides, looks at the tool as it is now."""
    call = bench.call(grant=bench.grant(seconds=600), must_have_grant=True)
    later = bench.gateway(changed(bench, "external", asks_more=asks_more))
    assert (await later.run(call)).code == code
    assert await bench.ledger.find(call.effect_key) is None


async def test_a_late_attempt_settles_nothing(bench: Bench) -> None:
    """A zombie's settlement under an old token is an incident; it gets the ledger's answer."""
    resume, reached = asyncio.Event(), asyncio.Event()

    async def pause(point: str, _: ToolCall) -> None:
        if point == "before_settle":
            reached.set()
            await resume.wait()

    zombie = asyncio.ensure_future(
        bench.gateway(bench.tool("reconciling"), probe=pause).run(bench.call())
    )
    await reached.wait()
    bench.pass_deadline()
    outcome = await bench.gateway(bench.tool("reconciling")).run(bench.call(), attempt=2)
    assert (outcome.status, outcome.result) == ("done", {"paid": 7})
    resume.set()
    late = await zombie
    assert (late.status, late.result, late.replayed) == ("done", {"paid": 7}, True)
    assert len(bench.shop.paid) == 1
    assert (await bench.row()).token == 2
    ((what, token),) = bench.observer.incidents
    assert "late attempt" in what
    assert token == 1


async def test_a_late_attempt_without_an_answer_is_told_of_too(bench: Bench) -> None:
    """A zombie that found out nothing writes nothing over what is settled, and is an incident."""
    resume, reached = asyncio.Event(), asyncio.Event()

    async def hang_up(point: str) -> None:
        if point == "after" and not reached.is_set():
            reached.set()
            await resume.wait()
            raise ConnectionError("reset")

    bench.shop.behave = hang_up
    zombie = asyncio.ensure_future(bench.gateway(bench.tool("external")).run(bench.call()))
    await reached.wait()
    bench.pass_deadline()
    outcome = await bench.gateway(bench.tool("external")).run(bench.call(), attempt=2)
    assert outcome.status == "unknown"
    settled = await bench.row()
    resume.set()
    with pytest.raises(LedgerConflict):
        await zombie
    assert await bench.row() == settled
    ((what, token),) = bench.observer.incidents
    assert (token, "ConnectionError: reset" in what) == (1, True)


@pytest.mark.parametrize("later", ["CLAIMED", "UNKNOWN", "FAILED"])
async def test_a_late_attempt_follows_the_row(bench: Bench, later: str) -> None:
    """A zombie reports what the newer attempt left, or waits for it."""

    async def overtake(point: str, call: ToolCall) -> None:
        if point != "before_settle":
            return
        taken = await bench.ledger.take_over(call.effect_key, 1, bench.clock())
        if later != "CLAIMED":
            state = LedgerState(later)
            await bench.ledger.settle(call.effect_key, taken.row.token, state, error="newer")

    gateway = bench.gateway(bench.tool("external"), probe=overtake)
    if later == "UNKNOWN":
        outcome = await gateway.run(bench.call())
        assert (outcome.status, outcome.known["token"]) == ("unknown", 2)
    else:
        with pytest.raises(LedgerConflict):
            await gateway.run(bench.call())
    assert len(bench.observer.incidents) == 1


async def test_two_concurrent_attempts_make_one_effect(bench: Bench) -> None:
    """One wins the claim; the other waits for it and then reads its result."""
    begun, release = asyncio.Event(), asyncio.Event()

    async def hold(point: str) -> None:
        if point == "before":
            begun.set()
            await release.wait()

    bench.shop.behave = hold
    gateway = bench.gateway(bench.tool("external"))
    first = asyncio.ensure_future(gateway.run(bench.call()))
    await begun.wait()
    with pytest.raises(LedgerConflict):
        await gateway.run(bench.call(), attempt=2)
    release.set()
    assert (await first).status == "done"
    again = await gateway.run(bench.call(), attempt=3)
    assert (again.result, again.replayed) == ({"paid": 7}, True)
    assert len(bench.shop.paid) == 1


async def test_many_attempts_at_once_make_one_effect(bench: Bench) -> None:
    """Of any number of attempts on several workers exactly one calls."""
    gateways = [bench.gateway(bench.tool("external")) for _ in range(4)]
    outcomes = await asyncio.gather(
        *(gateways[n % 4].run(bench.call(), attempt=n + 1) for n in range(12)),
        return_exceptions=True,
    )
    done = [one for one in outcomes if isinstance(one, ToolOutcome)]
    assert all(isinstance(one, ToolOutcome | LedgerConflict) for one in outcomes)
    assert done
    assert {one.status for one in done} == {"done"}
    assert len(bench.shop.paid) == 1


async def test_of_two_attempts_that_take_over_one_calls(bench: Bench) -> None:
    """The token decides; the slower one is told to wait."""
    await bench.lost_claim(bench.call())
    bench.pass_deadline()
    gateways = [bench.gateway(bench.tool("idempotent")) for _ in range(2)]
    outcomes = await asyncio.gather(
        *(one.run(bench.call(), attempt=2) for one in gateways), return_exceptions=True
    )
    assert sum(isinstance(one, ToolOutcome) for one in outcomes) >= 1
    assert bench.shop.attempts == 1
