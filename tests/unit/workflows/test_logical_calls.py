"""What a run knows of its logical calls, and what of it is worth carrying."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from interlock.approvals import Verdict
from interlock.tools import Risk
from interlock.tools.contract import Grant
from interlock.workflows.contract import Carried, Granted, RunTerms, Usage
from interlock.workflows.logical_calls import LogicalCalls

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
VERDICT = Verdict(outcome="ask", reason="it is dear", risk=Risk.HIGH, policy="p1")
TERMS = RunTerms(
    release="r",
    policy="p1",
    deadline_seconds=1,
    grant_seconds=1,
    model_mistakes=1,
    steps=1,
    signals=1,
    history_events=1,
    history_bytes=1,
)


def granted(hours: float = 1) -> Granted:
    """A decision that holds for some hours."""
    grant = Grant(
        request_id="c:1",
        digest="d",
        reviewer="ann",
        decided_at=NOON,
        expires_at=NOON + timedelta(hours=hours),
    )
    return Granted(arguments={"amount": 1}, grant=grant, policy="p1")


def carried(calls: LogicalCalls, now: datetime = NOON) -> Carried:
    """What the next part of a run gets, after a way through JSON."""
    data = Carried(
        terms=TERMS,
        checkpoint={},
        usage=Usage(),
        steps=0,
        steps_before=0,
        model_calls=0,
        transcript={},
        binding={},
        decided={},
        messages=[],
        refusals=0,
        turn_open=True,
        first_opened_at=NOON,
        **calls.carry(now),
    ).model_dump_json()
    return Carried.model_validate_json(data)


def answer(*ids: str) -> dict[str, Any]:
    """An answer with calls of these ids."""
    calls = [{"name": "pay", "args": {}, "id": item, "type": "tool_call"} for item in ids]
    return {"$message": "AIMessage", "data": {"id": "msg", "content": "", "tool_calls": calls}}


def test_a_decision_that_is_not_used_yet_goes_on() -> None:
    """With the verdict, as JSON that a person can read."""
    calls = LogicalCalls(None)
    calls.grant("c1", "action", granted())
    again = LogicalCalls(carried(calls))
    assert again.granted("c1", "action") == granted()
    assert again.granted("c1", "another action") is None
    assert again.granted("c2", "action") is None
    shown = json.loads(carried(calls).model_dump_json())["ruled"]["c1"]["granted"]["action"]
    assert (shown["arguments"], shown["grant"]["reviewer"]) == ({"amount": 1}, "ann")


def test_a_decision_that_expired_does_not() -> None:
    """The call would be refused with it; without it a person is asked again."""
    calls = LogicalCalls(None)
    calls.grant("old", "action", granted(hours=1))
    calls.grant("new", "action", granted(hours=3))
    kept = carried(calls, NOON + timedelta(hours=2))
    assert list(kept.ruled) == ["new"]


def test_of_calls_that_are_over_the_newest_are_carried() -> None:
    """However many were made, what is carried stays small, and no open decision is lost for it."""
    calls = LogicalCalls(None)
    calls.grant("open", "action", granted())
    for number in range(100):
        calls.judged(f"c{number}", "pay", {"amount": number}, VERDICT)
        calls.grant(f"c{number}", "action", granted())
        calls.end(f"c{number}")
    calls.end("c3")  # a retry of it is over
    kept = carried(calls)
    assert list(kept.ruled) == ["open", *(f"c{number}" for number in range(69, 100)), "c3"]
    assert not kept.ruled["open"].ended
    assert list(carried(LogicalCalls(kept)).ruled) == list(kept.ruled)


def test_a_verdict_is_of_one_call_and_its_arguments() -> None:
    """A retry finds it, also in the next part of the run; an edited action is judged anew."""
    calls = LogicalCalls(None)
    calls.judged(
        "c1", "pay", {"amount": 1}, VERDICT.model_copy(update={"arguments": {"amount": 1}})
    )
    for known in (calls, LogicalCalls(carried(calls))):
        assert known.verdict("c1", "pay", {"amount": 1}) == VERDICT
        assert known.verdict("c1", "pay", {"amount": 2}) is None
        assert known.verdict("c2", "pay", {"amount": 1}) is None


def test_a_call_that_nobody_was_asked_about_stays_one() -> None:
    """It is not made in the next part of the run either."""
    calls = LogicalCalls(None)
    calls.pass_unseen("c1")
    assert LogicalCalls(carried(calls)).is_unseen("c1")
    assert not calls.is_unseen("c2")


def test_a_call_without_a_ruling_leaves_nothing() -> None:
    """Its end is not worth carrying."""
    calls = LogicalCalls(None)
    calls.end("c1")
    assert carried(calls).ruled == {}


def test_an_id_is_given_once_in_a_run() -> None:
    """A repeated one is replaced, in the next part of the run too."""
    calls = LogicalCalls(None)
    first = answer("c1")
    assert calls.own_ids(first) is first
    second = calls.own_ids(answer("c1", "c2"))
    ids = [call["id"] for call in second["data"]["tool_calls"]]
    assert ids[1] == "c2"
    assert ids[0] != "c1"
    kept = carried(calls)
    assert kept.tool_call_ids == ("c1", *ids)
    assert LogicalCalls(kept).own_ids(answer("c2")) != answer("c2")


def test_ordinals_go_on() -> None:
    """Of calls with equal arguments each keeps its number."""
    calls = LogicalCalls(None)
    assert [calls.occurrence("pay", {"a": 1}, item) for item in ("c1", "c2", "c1")] == [0, 1, 0]
    again = LogicalCalls(carried(calls))
    assert [again.occurrence("pay", {"a": 1}, item) for item in ("c2", "c3")] == [1, 2]
    assert again.occurrence("pay", {"a": 2}, "c1") == 0
