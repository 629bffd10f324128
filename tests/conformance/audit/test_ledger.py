"""The ledger: one winner for each effect, and nobody writes what is not theirs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from interlock.audit.contract import ClaimResult, EventFilter, LedgerState
from interlock.context import CallContext
from interlock.errors import DeveloperError, LedgerConflict, NotSerializable

DONE, FAILED, UNKNOWN = LedgerState.DONE, LedgerState.FAILED, LedgerState.UNKNOWN
CLAIMED, ABORTED = LedgerState.CLAIMED, LedgerState.ABORTED
LATER = datetime(2030, 1, 1, tzinfo=UTC)


async def test_first_claim_wins(ledger, make_claim):
    """A new key becomes a CLAIMED row with token 1 that holds all of the claim."""
    claim = make_claim("k", request_id="r", context=CallContext(agent="a", tenant="t", node="n"))

    result = await ledger.claim(claim)

    assert result.won
    assert result.row.model_dump(include=set(type(claim).model_fields)) == claim.model_dump()
    assert (result.row.state, result.row.token) == (CLAIMED, 1)
    assert (result.row.result, result.row.error, result.row.settled_at) == (None, "", None)
    assert await ledger.find("k") == result.row


async def test_second_claim_sees_the_holder(ledger, make_claim):
    """A claim on a held row does not win and returns the row unchanged."""
    first = await ledger.claim(make_claim("k"))

    second = await ledger.claim(make_claim("k", call_id="other", deadline=LATER))

    assert second == ClaimResult(won=False, row=first.row)


async def test_concurrent_claims_have_one_winner(ledger, make_claim):
    """Of many concurrent claims of one key exactly one wins."""
    results = await asyncio.gather(
        *(ledger.claim(make_claim("k", call_id=f"c{n}", request_id="r")) for n in range(30))
    )

    winners = [result.row.call_id for result in results if result.won]
    assert len(winners) == 1
    assert {result.row.call_id for result in results} == set(winners)
    assert {result.row.token for result in results} == {1}


async def test_done_is_returned_and_never_made_again(ledger, make_claim):
    """A claim on a DONE row does not win and gets the stored result."""
    await ledger.claim(make_claim("k"))
    assert await ledger.settle("k", 1, DONE, result={"refund": "R-1"})

    again = await ledger.claim(make_claim("k"))

    assert not again.won
    assert (again.row.state, again.row.result) == (DONE, {"refund": "R-1"})
    assert again.row.settled_at is not None


async def test_failed_row_is_claimed_with_the_next_token(ledger, make_claim):
    """A claim on a FAILED row wins, counts the token up and forgets the failure."""
    await ledger.claim(make_claim("k"))
    await ledger.settle("k", 1, FAILED, error="declined")

    again = await ledger.claim(make_claim("k", call_id="c2", request_id="r2", deadline=LATER))

    row = again.row
    assert again.won
    assert (row.state, row.token, row.call_id, row.request_id) == (CLAIMED, 2, "c2", "r2")
    assert (row.deadline, row.error, row.settled_at) == (LATER, "", None)
    assert await ledger.find("k") == row


async def test_concurrent_claims_of_a_failed_row_have_one_winner(ledger, make_claim):
    """Of many concurrent claims of a FAILED row exactly one wins."""
    await ledger.claim(make_claim("k"))
    await ledger.settle("k", 1, FAILED)

    results = await asyncio.gather(*(ledger.claim(make_claim("k")) for _ in range(20)))

    assert [result.won for result in results].count(True) == 1
    assert {(result.row.token, result.row.state) for result in results} == {(2, CLAIMED)}


async def test_unknown_row_is_not_claimed(ledger, make_claim):
    """A claim on an UNKNOWN row does not win: somebody has to say what happened."""
    await ledger.claim(make_claim("k"))
    await ledger.settle("k", 1, UNKNOWN, error="no answer")

    again = await ledger.claim(make_claim("k"))

    assert not again.won
    assert (again.row.state, again.row.error) == (UNKNOWN, "no answer")


@pytest.mark.parametrize("unknown", [False, True])
async def test_concurrent_takeovers_have_one_winner(ledger, make_claim, unknown):
    """Of many takeovers of a lost attempt's row exactly one gets the next token."""
    await ledger.claim(make_claim("k"))
    if unknown:
        await ledger.settle("k", 1, UNKNOWN)

    results = await asyncio.gather(*(ledger.take_over("k", 1, LATER) for _ in range(20)))

    assert [result.won for result in results].count(True) == 1
    assert {(r.row.token, r.row.state, r.row.deadline) for r in results} == {(2, CLAIMED, LATER)}


@pytest.mark.parametrize("state", [DONE, FAILED])
async def test_final_row_is_not_taken_over(ledger, make_claim, state):
    """A row that is DONE or FAILED has no lost attempt to take over from."""
    await ledger.claim(make_claim("k"))
    await ledger.settle("k", 1, state)

    result = await ledger.take_over("k", 1, LATER)

    assert not result.won
    assert (result.row.state, result.row.token) == (state, 1)


@pytest.mark.parametrize("state", [DONE, FAILED, UNKNOWN])
async def test_old_token_settles_nothing(ledger, make_claim, state):
    """An attempt whose row was taken over writes nothing, whatever it has to say."""
    await ledger.claim(make_claim("k"))
    taken = await ledger.take_over("k", 1, LATER)

    assert not await ledger.settle("k", 1, state, result="late", error="late")

    assert await ledger.find("k") == taken.row
    assert await ledger.settle("k", 2, DONE, result="in time")
    assert not await ledger.settle("k", 1, DONE, result="late")
    assert (await ledger.find("k")).result == "in time"


async def test_takeover_and_settle_race_has_one_outcome(ledger, make_claim):
    """When an attempt settles while another takes over, exactly one of the two succeeds."""
    for number in range(10):
        key = f"k{number}"
        await ledger.claim(make_claim(key))

        settled, taken = await asyncio.gather(
            ledger.settle(key, 1, DONE, result=1), ledger.take_over(key, 1, LATER)
        )

        assert settled != taken.won
        assert (await ledger.find(key)).state == (DONE if settled else CLAIMED)


async def test_first_outcome_stays(ledger, make_claim):
    """DONE and FAILED are final for their holder; saying the same again is true again."""
    await ledger.claim(make_claim("k"))

    assert await ledger.settle("k", 1, DONE, result=1)
    assert await ledger.settle("k", 1, DONE, result=2)
    assert not await ledger.settle("k", 1, FAILED)
    assert not await ledger.settle("k", 1, UNKNOWN)
    row = await ledger.find("k")
    assert (row.state, row.result) == (DONE, 1)


async def test_holder_learns_what_happened_after_all(ledger, make_claim):
    """The holder of an UNKNOWN row may still write the answer that arrived late."""
    await ledger.claim(make_claim("k"))
    await ledger.settle("k", 1, UNKNOWN, error="no answer")

    assert await ledger.settle("k", 1, DONE, result=1)
    assert not await ledger.resolve("k", ABORTED)
    row = await ledger.find("k")
    assert (row.state, row.result, row.error) == (DONE, 1, "")


@pytest.mark.parametrize("state", [DONE, ABORTED])
async def test_persons_word_settles_an_unknown_row(ledger, make_claim, state):
    """Resolving writes the person's word, and the lost attempt can no longer settle."""
    await ledger.claim(make_claim("k"))
    await ledger.settle("k", 1, UNKNOWN)

    assert await ledger.resolve("k", state, result={"ref": 1}, error="asked the bank")

    row = await ledger.find("k")
    assert (row.state, row.token) == (state, 2)
    assert (row.result, row.error) == ({"ref": 1}, "asked the bank")
    assert not await ledger.settle("k", 1, DONE, result="late")
    assert not await ledger.resolve("k", ABORTED if state == DONE else DONE)


async def test_an_aborted_effect_is_never_claimed_again(ledger, make_claim):
    """Nobody knows whether it happened, so no claim and no takeover wins it, and none is spent."""
    await ledger.claim(make_claim("k"))
    await ledger.settle("k", 1, UNKNOWN)
    await ledger.resolve("k", ABORTED, error="ended by rita")

    again = await ledger.claim(make_claim("k", request_id="r"))
    taken = await ledger.take_over("k", 2, LATER)

    assert not again.won
    assert not taken.won
    assert (again.row.state, again.row.token, again.row.error) == (ABORTED, 2, "ended by rita")
    assert await ledger.find("k") == again.row
    assert (await ledger.claim(make_claim("k2", request_id="r"))).won


async def test_two_persons_resolve_once(ledger, make_claim):
    """Of two people who say what happened, the first is heard."""
    await ledger.claim(make_claim("k"))
    await ledger.settle("k", 1, UNKNOWN)

    heard = await asyncio.gather(ledger.resolve("k", DONE), ledger.resolve("k", ABORTED))

    assert sorted(heard) == [False, True]


async def test_a_claimed_row_is_not_resolved(ledger, make_claim):
    """A person's word does not count while an attempt is under way."""
    first = await ledger.claim(make_claim("k"))

    assert not await ledger.resolve("k", DONE)
    assert await ledger.find("k") == first.row


async def test_the_holder_notes_why_it_is_in_doubt(ledger, make_claim):
    """A note is kept on the row, which stays CLAIMED; the next holder begins without it."""
    first = await ledger.claim(make_claim("k"))

    await ledger.note("k", 1, "connection reset")

    row = await ledger.find("k")
    assert row == first.row.model_copy(update={"error": "connection reset"})
    assert (await ledger.take_over("k", 1, LATER)).row.error == ""


async def test_a_note_of_another_attempt_changes_nothing(ledger, make_claim):
    """Who holds a row no more, and who has settled it, notes nothing."""
    await ledger.claim(make_claim("k"))
    await ledger.take_over("k", 1, LATER)
    await ledger.note("k", 1, "late")
    assert (await ledger.find("k")).error == ""

    await ledger.settle("k", 2, UNKNOWN, error="no answer")
    await ledger.note("k", 2, "late")
    assert (await ledger.find("k")).error == "no answer"


async def test_decision_is_spent_on_one_effect(ledger, make_claim):
    """A decision that one effect consumed is refused to every other, which stays unclaimed."""
    await ledger.claim(make_claim("k1", request_id="r"))

    with pytest.raises(LedgerConflict, match="'r' was used") as refused:
        await ledger.claim(make_claim("k2", request_id="r"))

    assert refused.value.details == {"request_id": "r", "held_by": "k1"}
    assert await ledger.find("k2") is None


async def test_concurrent_effects_spend_a_decision_once(ledger, make_claim):
    """Of many effects that claim with one decision exactly one is claimed."""
    results = await asyncio.gather(
        *(ledger.claim(make_claim(f"k{n}", request_id="r")) for n in range(20)),
        return_exceptions=True,
    )

    won = [result.row.effect_key for result in results if isinstance(result, ClaimResult)]
    refused = [error for error in results if isinstance(error, LedgerConflict)]
    assert (len(won), len(refused)) == (1, 19)
    assert {error.details["held_by"] for error in refused} == set(won)
    assert [row.effect_key for row in await ledger.rows()] == won


async def test_same_effect_reads_its_decision_again(ledger, make_claim):
    """A retry of the effect that consumed a decision claims with it again."""
    await ledger.claim(make_claim("k", request_id="r"))
    await ledger.settle("k", 1, FAILED)

    assert (await ledger.claim(make_claim("k", request_id="r"))).won


async def test_losing_claim_spends_no_decision(ledger, make_claim):
    """A claim that does not win leaves its decision to another effect."""
    await ledger.claim(make_claim("k1"))
    assert not (await ledger.claim(make_claim("k1", request_id="r"))).won

    assert (await ledger.claim(make_claim("k2", request_id="r"))).won


async def test_foreign_decision_is_refused_even_for_a_settled_effect(ledger, make_claim):
    """A claim with another effect's decision is refused and learns no result."""
    await ledger.claim(make_claim("k1", request_id="r"))
    await ledger.claim(make_claim("k2"))
    await ledger.settle("k2", 1, DONE, result="secret")

    with pytest.raises(LedgerConflict):
        await ledger.claim(make_claim("k2", request_id="r"))


async def test_equal_request_ids_of_two_runs_are_two_decisions(ledger, make_claim):
    """Runs whose models chose the same call id each spend their own decision."""
    for run in ("run-1", "run-2"):
        context = CallContext(agent="support", lineage=f"default/wf/{run}")
        assert (await ledger.claim(make_claim(run, request_id="r", context=context))).won


async def test_rows_are_filtered_and_oldest_first(ledger, make_claim):
    """Rows come in the order of their claims, by workflow, by state and up to a limit."""
    for number in range(4):
        await ledger.claim(make_claim(f"k{number}", workflow_id=f"wf-{number % 2}"))
    await ledger.settle("k2", 1, DONE)

    async def keys(**where):
        return [row.effect_key for row in await ledger.rows(**where)]

    assert await keys() == ["k0", "k1", "k2", "k3"]
    assert await keys(workflow_id="wf-0") == ["k0", "k2"]
    assert await keys(state=CLAIMED) == ["k0", "k1", "k3"]
    assert await keys(workflow_id="wf-0", state=DONE) == ["k2"]
    assert await keys(limit=2) == ["k0", "k1"]


async def test_unclaimed_effects_are_refused(ledger):
    """Nothing but a claim makes a row: the rest names the key and says so."""
    assert await ledger.find("nope") is None
    for call in (
        ledger.settle("nope", 1, DONE),
        ledger.resolve("nope", DONE),
        ledger.take_over("nope", 1, LATER),
        ledger.note("nope", 1, "why"),
    ):
        with pytest.raises(LedgerConflict, match="no effect 'nope': claim it first"):
            await call


async def test_impossible_outcomes_are_refused(ledger, make_claim):
    """An effect is not settled as CLAIMED or ABORTED, nor resolved as UNKNOWN or FAILED."""
    await ledger.claim(make_claim("k"))
    for state in (CLAIMED, ABORTED):
        with pytest.raises(DeveloperError, match="Allowed: DONE, FAILED, UNKNOWN"):
            await ledger.settle("k", 1, state)
    for state in (UNKNOWN, FAILED):
        with pytest.raises(DeveloperError, match="Allowed: DONE, ABORTED"):
            await ledger.resolve("k", state)


async def test_times_are_utc(ledger, make_claim):
    """A deadline of another time zone comes back as the same moment in UTC."""
    zone = timezone(timedelta(hours=5, minutes=30))
    deadline = LATER.astimezone(zone) + timedelta(microseconds=1)

    await ledger.claim(make_claim("k", deadline=deadline))

    row = await ledger.find("k")
    assert row.deadline == deadline
    assert row.deadline.tzinfo == row.claimed_at.tzinfo == UTC


async def test_no_text_keeps_an_effect_from_being_settled(ledger, make_claim):
    """Characters that a database cannot hold are kept in a result and replaced in an error."""
    await ledger.claim(make_claim("k"))

    assert await ledger.settle("k", 1, FAILED, result={"a\x00": ["\x00"]}, error="a\x00b\ud800c")

    row = await ledger.find("k")
    assert row.result == {"a\x00": ["\x00"]}
    assert row.error == "a\ufffdb\ufffdc"


async def test_result_without_json_form_is_refused(ledger, make_claim):
    """A result that JSON cannot hold is refused by name, and the row stays claimed."""
    first = await ledger.claim(make_claim("k"))

    with pytest.raises(NotSerializable):
        await ledger.settle("k", 1, DONE, result=object())

    assert await ledger.find("k") == first.row


@pytest.mark.parametrize(
    "result", [None, 0, "", [], {"ключ": "значение 😀"}, {"n": 2**70, "f": 0.1, "x": [None, {}]}]
)
async def test_results_come_back_as_they_were(ledger, make_claim, result):
    """Any JSON value is a result and comes back equal."""
    await ledger.claim(make_claim("k", arguments={"value": result}))
    await ledger.settle("k", 1, DONE, result=result)

    row = await ledger.find("k")
    assert row.result == result
    assert row.arguments == {"value": result}


async def test_numbers_that_json_does_not_know_are_named(ledger, make_claim):
    """A result with a number that is not finite is kept, with the number as its name."""
    await ledger.claim(make_claim("k"))

    assert await ledger.settle("k", 1, DONE, result=[float("nan"), float("-inf"), 1.5])

    assert (await ledger.find("k")).result == ["NaN", "-Infinity", 1.5]


async def test_events_ride_on_a_claim(ledger, store, make_claim, make_event):
    """What belongs to a claim is recorded with it, whether it wins or not, and once."""
    for name in ("k", "k"):
        await ledger.claim(make_claim(name), events=[make_event("e1"), make_event("e2")])

    assert sorted(event.id for event in await store.events(EventFilter())) == ["e1", "e2"]


async def test_a_refused_claim_records_nothing(ledger, store, make_claim, make_event):
    """A claim whose decision was used for another effect leaves no event."""
    await ledger.claim(make_claim("k", request_id="r"))

    with pytest.raises(LedgerConflict):
        await ledger.claim(make_claim("other", request_id="r"), events=[make_event("e1")])

    assert await store.events(EventFilter()) == []


async def test_events_ride_on_a_settlement_that_holds(ledger, store, make_claim, make_event):
    """A late attempt's settlement records nothing; the holder's records its event, and once."""
    await ledger.claim(make_claim("k"))
    await ledger.take_over("k", 1, LATER)

    assert not await ledger.settle("k", 1, DONE, events=[make_event("late")])
    for _ in range(2):
        assert await ledger.settle("k", 2, DONE, events=[make_event("held")])
    assert not await ledger.settle("k", 2, FAILED, events=[make_event("other")])

    assert [event.id for event in await store.events(EventFilter())] == ["held"]
