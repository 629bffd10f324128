"""Before an effect its decisions are verified again: whoever made the call up, nothing else is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from interlock.approvals import ApprovalRequest
from interlock.approvals.contract import Decision, Notice
from interlock.approvals.people import Person
from interlock.approvals.signatures import DecisionSigner, KeyRing, PublicKey, SigningKey
from interlock.approvals.verification import DecisionActivities, GrantVerifier
from interlock.context import CallContext
from interlock.tools import Effect, Risk, tool
from interlock.tools.contract import (
    AskedAction,
    Grant,
    ToolCall,
    Vote,
    action_digest,
    outcome_digest,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
KEY = SigningKey.new()
KEYS = KeyRing({KEY.id: PublicKey(public=KEY.public)}, clock=lambda: NOW)
CONTEXT = CallContext(agent="a", tenant="t", release="r1", lineage="default/run/1")
ARGUMENTS = {"amount": "5", "note": ""}


@tool(effect=Effect.EXTERNAL)
async def pay(amount: Decimal, note: str = "") -> str:
    """Pay an amount."""
    raise AssertionError("nobody pays here")


def person(subject: str, *roles: str, tenant: str = "t") -> Person:
    """Somebody who was authenticated."""
    return Person(subject=subject, roles=roles or ("reviewer",), tenants=(tenant,))


ANN, BEN = person("ann"), person("ben")


def digest(arguments: dict[str, Any], tool: str = "pay", policy: str = "p1") -> str:
    """The digest of a call of the run."""
    return action_digest(tool, arguments, tenant="t", release="r1", policy=policy)


def vote(
    who: Person,
    verb: str = "approve",
    *,
    about: str = "",
    asked: AskedAction | None = None,
    lineage: str = CONTEXT.lineage,
    key: SigningKey = KEY,
    request_id: str = "q1",
    **said: Any,
) -> Vote:
    """What somebody signed."""
    request = ApprovalRequest(
        id=request_id,
        tool="pay",
        digest=about or digest(ARGUMENTS),
        why="",
        risk=Risk.HIGH,
        agent="a",
        tenant="t",
        requested_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        lineage=lineage,
    )
    decision = DecisionSigner(key, clock=lambda: NOW).sign(request, who, verb, **said)
    return Vote(decision=decision.model_dump(mode="json", exclude_defaults=True), asked=asked)


def call(*votes: Vote, **changes: Any) -> ToolCall:
    """A call that rests on some votes."""
    given = {"quorum": 1, "who": ("reviewer",), "barred": ("carl",)} if votes else {}
    grant = Grant(
        request_id="q1",
        digest=digest(ARGUMENTS),
        reviewer="ann",
        decided_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        votes=votes,
        **{**given, **changes.pop("grant", {})},
    )
    fields = {"call_id": "c1", "tool": "pay", "arguments": ARGUMENTS, "effect_key": "e1"}
    made = ToolCall(**fields, context=CONTEXT, policy="p1", grant=grant, must_have_grant=True)
    return made.model_copy(update=changes)


def code(made: ToolCall, *, required: bool = True, keys: KeyRing = KEYS) -> str:
    """Why the decisions of a call do not hold, or ''."""
    refusal = GrantVerifier(keys, require_signature=required).refusal(made, pay)
    return refusal.code if refusal else ""


def test_what_was_signed_for_this_call_holds() -> None:
    """One person, or as many different ones as the grant says."""
    assert code(call(vote(ANN))) == ""
    assert code(call(vote(ANN), vote(BEN), grant={"quorum": 2})) == ""
    assert code(call(vote(ANN)), required=False) == ""


def test_a_person_and_its_stand_in_are_one() -> None:
    """Whatever the run has let through; a third person makes it two."""
    dan = ANN.model_copy(update={"subject": "dan", "acts_for": "ann"})
    assert code(call(vote(ANN), vote(dan), grant={"quorum": 2})) == "NO_GRANT"
    assert code(call(vote(dan), vote(BEN), grant={"quorum": 2})) == ""
    forged = vote(dan)
    by = {key: value for key, value in forged.decision["by"].items() if key != "acts_for"}
    alone = forged.model_copy(update={"decision": {**forged.decision, "by": by}})
    assert code(call(alone)) == "FORGED"


def test_an_unsigned_decision_holds_only_where_none_has_to_be_signed() -> None:
    """The policy's own word needs none; a call that nobody had to decide on has no grant."""
    assert code(call()) == "UNSIGNED"
    assert code(call(), required=False) == ""
    assert code(call(grant={"by_policy": True})) == ""
    assert code(call().model_copy(update={"grant": None})) == ""


FOREIGN = {"amount": "500", "note": ""}
EDITED = AskedAction(arguments=FOREIGN, policy="p0")
WRONG: dict[str, tuple[Callable[[], ToolCall], str]] = {
    "another action": (lambda: call(vote(ANN, about=digest(FOREIGN))), "DIGEST_MISMATCH"),
    "another tool": (lambda: call(vote(ANN, about=digest(ARGUMENTS, "send"))), "DIGEST_MISMATCH"),
    "another request": (lambda: call(vote(ANN, request_id="q2")), "DIGEST_MISMATCH"),
    "a rejection": (lambda: call(vote(ANN, "reject")), "DIGEST_MISMATCH"),
    "an answer": (lambda: call(vote(ANN, "respond", result="paid")), "DIGEST_MISMATCH"),
    "no decision": (lambda: call(Vote(decision={"verb": "approve"})), "DIGEST_MISMATCH"),
    "another run": (lambda: call(vote(ANN, lineage="default/run/2")), "OTHER_RUN"),
    "another tenant": (lambda: call(vote(person("ann", tenant="u"))), "OTHER_TENANT"),
    "the requester": (lambda: call(vote(person("carl"))), "OWN_REQUEST"),
    "another role": (lambda: call(vote(person("ann", "admin"))), "NOT_A_REVIEWER"),
    "one of two": (lambda: call(vote(ANN), grant={"quorum": 2}), "NO_GRANT"),
    "one twice": (lambda: call(vote(ANN), vote(ANN), grant={"quorum": 2}), "NO_GRANT"),
    "one of the two forged": (
        lambda: call(vote(ANN), vote(BEN, key=SigningKey.new()), grant={"quorum": 2}),
        "UNKNOWN_KEY",
    ),
    "an edit into something else": (
        lambda: call(vote(ANN, "edit", about=digest(FOREIGN, policy="p0"), asked=EDITED, arguments=FOREIGN)),
        "DIGEST_MISMATCH",
    ),
    "an edit of another tool": (
        lambda: call(vote(ANN, "edit", about=digest(FOREIGN, "send", "p0"), asked=EDITED, arguments=ARGUMENTS)),
        "DIGEST_MISMATCH",
    ),
    "an edit of nobody knows what": (
        lambda: call(vote(ANN, "edit", about=digest(FOREIGN, policy="p0"), arguments=ARGUMENTS)),
        "DIGEST_MISMATCH",
    ),
    "an approval of what was edited": (
        lambda: call(vote(ANN, about=digest(FOREIGN, policy="p0"), asked=EDITED)),
        "DIGEST_MISMATCH",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(WRONG))
@pytest.mark.parametrize("required", [True, False])
def test_whatever_was_signed_for_something_else_is_refused(name: str, required: bool) -> None:
    """Also where signatures are not required: one that is there has to hold."""
    made, expected = WRONG[name]
    assert code(made(), required=required) == expected


def test_an_edit_allows_what_it_made_of_the_action() -> None:
    """By the digest of what the reviewer saw, and the arguments that they signed."""
    edit = vote(ANN, "edit", about=digest(FOREIGN, policy="p0"), asked=EDITED, arguments=ARGUMENTS)
    assert code(call(edit)) == ""
    assert code(call(edit, vote(BEN), grant={"quorum": 2})) == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"amount": "5"}, ""),
        ({"amount": 5, "note": ""}, ""),
        ({"amount": " 5"}, ""),
        ({"amount": "5.01"}, "DIGEST_MISMATCH"),
        ({"amount": "5", "note": "x"}, "DIGEST_MISMATCH"),
        ({"amount": "five"}, "DIGEST_MISMATCH"),
    ],
)
def test_an_edit_holds_in_any_form_that_means_this_call(
    arguments: dict[str, Any], expected: str
) -> None:
    """What was signed and what is done are compared as the tool reads them."""
    edit = vote(ANN, "edit", about=digest(FOREIGN, policy="p0"), asked=EDITED, arguments=arguments)
    assert code(call(edit)) == expected


def test_a_changed_vote_is_forged() -> None:
    """The payload of the call is no proof of itself."""
    genuine = vote(ANN)
    said = {**genuine.decision, "by": {**genuine.decision["by"], "subject": "ben"}}
    assert code(call(genuine, Vote(decision=said), grant={"quorum": 2})) == "FORGED"


def test_a_key_that_was_removed_holds_no_more() -> None:
    """One that is over holds for what it signed in time."""
    assert code(call(vote(ANN)), keys=KeyRing({})) == "UNKNOWN_KEY"
    over = PublicKey(public=KEY.public, not_after=NOW + timedelta(minutes=1))
    later = KeyRing({KEY.id: over}, clock=lambda: NOW + timedelta(hours=2))
    assert code(call(vote(ANN)), keys=later) == ""


def word(verb: str = "happened", token: int = 3, result: Any = "paid", **how: Any) -> ToolCall:
    """A call that brings a person's word on an UNKNOWN effect."""
    said = vote(ANN, "happened", about=outcome_digest("e1", 3), result="paid", **how)
    made = call(said)
    return made.model_copy(
        update={
            "grant": None,
            "word": made.grant,
            "resolution": verb,
            "resolved_token": token,
            "resolved_result": result,
        }
    )


def test_a_word_on_an_unknown_effect_is_verified() -> None:
    """It is about this effect, with this result, and nothing else."""
    assert code(word()) == ""
    assert code(word("did_not_happen")) == "DIGEST_MISMATCH"
    assert code(word(token=4)) == "DIGEST_MISMATCH"
    assert code(word(result="paid twice")) == "DIGEST_MISMATCH"
    assert code(word(lineage="default/run/2")) == "OTHER_RUN"
    unsigned = word().model_copy(update={"word": None})
    assert code(unsigned) == "UNSIGNED"
    assert code(unsigned, required=False) == ""


async def nobody(_notice: Notice) -> None:
    """Tell nobody."""


async def test_the_activity_says_what_it_found() -> None:
    """A decision that just came: with a code, or without one when it counts."""
    activities = DecisionActivities(KEYS, nobody)
    good = Decision.model_validate(vote(ANN).decision)
    assert (await activities.verify(good)).code == ""
    forged = await activities.verify(good.model_copy(update={"comment": "no"}))
    assert (forged.code, bool(forged.message)) == ("FORGED", True)
