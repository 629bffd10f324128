"""The desk: which decisions count, and what the others are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from interlock.approvals.contract import ApprovalRequest, Decision
from interlock.approvals.desk import Desk, read_decision
from interlock.errors import BadArguments, DecisionRefused
from interlock.tools import Risk

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def request(key: str = "c1:abc", **changes: Any) -> ApprovalRequest:
    """A request that is open for an hour."""
    fields = {
        "id": key,
        "tool": "refund",
        "arguments": {"amount": 5},
        "digest": "d1",
        "why": "high risk",
        "risk": Risk.HIGH,
        "agent": "a",
        "tenant": "t",
        "requested_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return ApprovalRequest.model_validate(fields | changes)


def decision(**changes: Any) -> Decision:
    """An approval of that request."""
    fields = {"request_id": "c1:abc", "verb": "approve", "digest": "d1"}
    return Decision.model_validate(fields | changes)


def desk() -> Desk:
    """A desk with one open request, whose edits need a positive amount."""

    def check(arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments.get("amount", 0) <= 0:
            raise BadArguments("amount has to be positive")
        return arguments

    made = Desk()
    made.open(request(), check)
    return made


def test_first_valid_decision_wins() -> None:
    """A second decision is refused, before and after the first is taken."""
    made = desk()
    assert made.submit(decision(reviewer="ann"), NOW).accepted
    assert made.submit(decision(verb="reject"), NOW).code == "ALREADY_DECIDED"
    assert made.take("c1:abc").decision.reviewer == "ann"
    assert made.submit(decision(), NOW).code == "ALREADY_DECIDED"
    assert made.pending == ()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"request_id": "c2:abc"}, "UNKNOWN_REQUEST"),
        ({"digest": "d2"}, "DIGEST_MISMATCH"),
        ({"verb": "happened"}, "VERB_NOT_ALLOWED"),
        ({"verb": "edit"}, "BAD_ARGUMENTS"),
        ({"verb": "edit", "arguments": {"amount": -1}}, "BAD_ARGUMENTS"),
    ],
)
def test_a_decision_that_does_not_fit_changes_nothing(changes: dict[str, Any], code: str) -> None:
    """It is answered with a code and a sentence, and the request stays open."""
    made = desk()
    answer = made.submit(decision(**changes), NOW)
    assert (answer.accepted, answer.code) == (False, code)
    assert answer.message
    assert [item.id for item in made.pending] == ["c1:abc"]


def test_a_late_decision_is_refused_to_the_second() -> None:
    """At the moment of expiry it is too late; just before it is not."""
    assert desk().submit(decision(), NOW + timedelta(hours=1)).code == "EXPIRED"
    assert desk().submit(decision(), NOW + timedelta(minutes=59, seconds=59)).accepted


def test_a_withdrawn_request_says_expired() -> None:
    """A decision on a request whose deadline passed is told so."""
    made = desk()
    made.withdraw("c1:abc", "expired")
    assert made.submit(decision(), NOW).code == "EXPIRED"


def test_used_requests_survive_continue_as_new() -> None:
    """A desk that starts with decided requests refuses to decide them again."""
    made = desk()
    made.submit(decision(), NOW)
    made.take("c1:abc")
    assert Desk(made.decided).submit(decision(), NOW).code == "ALREADY_DECIDED"


@pytest.mark.parametrize(
    "data",
    [None, "approve", {}, {"request_id": "a", "verb": "maybe", "digest": "d"}, {"verb": "approve"}],
)
def test_malformed_decisions_name_what_is_wrong(data: Any) -> None:
    """The error shows the form of a decision."""
    with pytest.raises(DecisionRefused, match=r"malformed decision.*request_id"):
        read_decision(data)


def test_unknown_fields_are_malformed() -> None:
    """A misspelt field is not ignored."""
    with pytest.raises(DecisionRefused, match="argumets"):
        read_decision({"request_id": "a", "verb": "edit", "digest": "d", "argumets": {}})


@pytest.mark.parametrize("on_timeout", ["deny", "allow"])
@pytest.mark.parametrize("verb", ["approve", "reject", "respond", "edit"])
def test_where_silence_allows_a_no_counts_until_it_is_withdrawn(verb: str, on_timeout: str) -> None:
    """An approval is too late at the deadline, and so is everything where silence denies."""
    made = Desk()
    made.open(request(on_timeout=on_timeout))
    late = decision(verb=verb, arguments={"amount": 1} if verb == "edit" else None)
    counts = on_timeout == "allow" and verb != "approve"
    assert made.submit(late, NOW + timedelta(hours=2)).code == ("" if counts else "EXPIRED")
    made.withdraw("c1:abc", "expired")
    assert made.submit(late, NOW + timedelta(hours=2)).code == "EXPIRED"
