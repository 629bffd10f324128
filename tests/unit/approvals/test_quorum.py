"""The desk counts people: who may decide, how many have to, and when the next tier is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from interlock.approvals.contract import AskedTier, Decision
from interlock.approvals.desk import Cast, Desk
from interlock.approvals.edits import counts_for, is_enough, told_of_edit
from interlock.approvals.identity import refuse_person
from interlock.approvals.people import Person
from interlock.approvals.signatures import DecisionSigner, SigningKey
from interlock.approvals.tiers import asked_tiers, asks_for_more
from interlock.tools.contract import Ask, AskedAction, Tier
from tests.unit.approvals.test_desk import NOW, request

HOUR = timedelta(hours=1)
KEY = SigningKey.new()
TIERS = (
    AskedTier(tier="desk", quorum=2, who=("reviewer",), until=NOW + HOUR),
    AskedTier(tier="lead", quorum=2, who=("lead", "user:olga"), until=NOW + 3 * HOUR),
)
REQUEST = request(tiers=TIERS, lineage="run-1", barred=("carl",), expires_at=NOW + 3 * HOUR)


def person(subject: str, *roles: str, tenants: tuple[str, ...] = ("t",)) -> Person:
    """Somebody of the tenant."""
    return Person(subject=subject, roles=roles or ("reviewer",), tenants=tenants)


ANN, BEN, BEA = person("ann"), person("ben"), person("bea", "reviewer", "lead")


def signed(who: Person, verb: str = "approve", **said: Any) -> Decision:
    """A decision as the inbox makes it."""
    return DecisionSigner(KEY, clock=lambda: NOW).sign(REQUEST, who, verb, **said)


@pytest.fixture
def desk() -> Desk:
    """A desk with a request that two of a tier have to approve."""
    made = Desk()
    made.open(REQUEST)
    return made


def test_two_different_people_decide(desk: Desk) -> None:
    """The first is told how many are missing; what was decided rests on both."""
    first = desk.submit(signed(ANN), NOW)
    assert (first.accepted, first.missing) == (True, 1)
    assert desk.submit(signed(ANN), NOW).code == "ALREADY_VOTED"
    assert not desk.is_decided(REQUEST.id)
    assert desk.submit(signed(BEN), NOW).missing == 0
    ruling = desk.take(REQUEST.id)
    assert [vote.decision.decided_by for vote in ruling.votes] == ["ann", "ben"]
    assert ruling.tier.tier == "desk"


def test_unverified_people_are_told_apart_by_the_name_they_give(desk: Desk) -> None:
    """Without a name they are one and the same."""
    plain = {"request_id": REQUEST.id, "verb": "approve", "digest": REQUEST.digest}
    assert desk.submit(Decision.model_validate(plain), NOW).missing == 1
    assert desk.submit(Decision.model_validate(plain), NOW).code == "ALREADY_VOTED"
    seen = desk.pending_at(NOW)[0].votes[0]
    assert (seen.reviewer, seen.verified) == ("unverified", False)
    assert desk.submit(Decision.model_validate({**plain, "reviewer": "ann"}), NOW).accepted
    assert desk.is_decided(REQUEST.id)


@pytest.mark.parametrize("verb", ["reject", "respond", "edit"])
def test_one_is_enough_for_anything_else(desk: Desk, verb: str) -> None:
    """Also somebody who has approved; the ruling rests on that word alone."""
    desk.submit(signed(ANN), NOW)
    assert desk.submit(signed(ANN, verb, arguments={"a": 1}), NOW).accepted
    ruling = desk.take(REQUEST.id)
    assert (ruling.decision.verb, len(ruling.votes)) == (verb, 1)
    assert desk.submit(signed(BEN), NOW).code == "ALREADY_DECIDED"


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (person("ann", tenants=("other",)), "OTHER_TENANT"),
        (person("ann", tenants=()), "OTHER_TENANT"),
        (person("ann", tenants=("*",)), ""),
        (person("carl"), "OWN_REQUEST"),
        (person("ann", "admin", "operator", "lead"), "NOT_A_REVIEWER"),
        (person("reviewer", "caller"), "NOT_A_REVIEWER"),
        (person("ann", "user:ann"), "NOT_A_REVIEWER"),
        (ANN, ""),
    ],
)
def test_only_whoever_is_asked_decides(desk: Desk, who: Person, code: str) -> None:
    """A refusal changes nothing, whatever it is: no vote, no decision."""
    assert desk.submit(signed(who), NOW).code == code
    assert len(desk.pending_at(NOW)[0].votes) == (0 if code else 1)
    assert desk.submit(signed(who, "reject"), NOW).code == code


def test_people_are_named_by_their_subject_alone() -> None:
    """A role of that name is nobody, and so is a subject without the mark."""
    who = ("lead", "user:olga")
    terms = {"tenant": "t", "who": who, "barred": ()}
    assert refuse_person(person("olga", "caller"), **terms) is None
    assert refuse_person(person("lead", "caller"), **terms) is not None
    assert refuse_person(person("eve", "olga"), **terms) is not None


def standing_in(taker: str, giver: Person) -> Person:
    """Somebody in another's place."""
    return giver.model_copy(update={"subject": taker, "acts_for": giver.subject})


def test_whoever_stands_in_may_do_what_the_other_may(desk: Desk) -> None:
    """With the other's role and tenant, and where the other is named; the request says for whom."""
    dan = standing_in("dan", BEN)
    assert desk.submit(signed(dan), NOW).missing == 1
    (vote,) = desk.pending_at(NOW)[0].votes
    assert (vote.reviewer, vote.acts_for) == ("dan", "ben")
    assert desk.submit(signed(standing_in("eve", person("olga", "caller"))), NOW + HOUR).accepted


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (BEN, standing_in("dan", BEN)),
        (standing_in("dan", BEN), BEN),
        (standing_in("dan", BEN), standing_in("eve", BEN)),
        (standing_in("dan", BEN), standing_in("dan", ANN)),
        (standing_in("ann", BEN), ANN),
    ],
)
def test_nobody_is_heard_twice_by_whomever(desk: Desk, first: Person, second: Person) -> None:
    """Neither who decides nor who is stood in for counts again in one quorum."""
    assert desk.submit(signed(first), NOW).missing == 1
    assert desk.submit(signed(second), NOW).code == "ALREADY_VOTED"
    assert desk.submit(signed(BEA), NOW).missing == 0


@pytest.mark.parametrize("who", [standing_in("carl", ANN), standing_in("ann", person("carl"))])
def test_nobody_passes_on_a_request_of_ones_own(desk: Desk, who: Person) -> None:
    """Nor takes one's own over by standing in for somebody."""
    assert desk.submit(signed(who), NOW).code == "OWN_REQUEST"


def test_the_next_tier_is_asked_in_its_second(desk: Desk) -> None:
    """Those before are not asked any more, and count no more; the time never goes back."""
    end = NOW + HOUR
    just_before = end - timedelta(microseconds=1)
    assert desk.submit(signed(BEA), just_before).missing == 1
    assert desk.pending_at(just_before)[0].tier.tier == "desk"
    seen = desk.pending_at(end)[0]
    assert (seen.tier.tier, seen.votes) == ("lead", ())
    assert desk.submit(signed(ANN), end).code == "NOT_A_REVIEWER"
    assert desk.submit(signed(BEA), end).missing == 1
    assert desk.submit(signed(ANN), just_before).code == "NOT_A_REVIEWER"
    assert desk.submit(signed(person("olga", "caller")), end).missing == 0
    assert desk.take(REQUEST.id).tier.tier == "lead"


def test_a_decision_counts_once(desk: Desk) -> None:
    """Sent again after the next tier was asked, it is no second vote of the same person."""
    decision = signed(BEA)
    assert desk.submit(decision, NOW).accepted
    assert desk.submit(decision, NOW).code == "REPLAYED"
    assert desk.submit(decision, NOW + HOUR).code == "REPLAYED"
    assert desk.submit(signed(BEA), NOW + HOUR).accepted
    assert desk.submit(decision, NOW + 3 * HOUR).code == "EXPIRED"


def test_a_decision_of_another_run_is_refused(desk: Desk) -> None:
    """Though everything else about it is the same."""
    other = signed(ANN).model_copy(update={"lineage": "run-2"})
    assert desk.submit(other, NOW).code == "OTHER_RUN"


def test_a_run_may_take_signed_decisions_only() -> None:
    """An unsigned one changes nothing."""
    made = Desk(require_signature=True)
    made.open(REQUEST)
    plain = Decision(request_id=REQUEST.id, verb="reject", digest=REQUEST.digest)
    assert made.submit(plain, NOW).code == "UNSIGNED"
    assert made.submit(signed(ANN), NOW).accepted


def test_looking_does_not_change_a_request(desk: Desk) -> None:
    """A check and a look into the future leave votes and tier as they are."""
    desk.submit(signed(ANN), NOW)
    assert desk.pending_at(NOW + HOUR)[0].asked == 1
    assert desk.check(signed(BEN), NOW) is None
    seen = desk.pending_at(NOW)[0]
    assert (seen.asked, [vote.reviewer for vote in seen.votes]) == (0, ["ann"])


def test_signatures_of_one_request_are_looked_at_so_often_and_no_more(desk: Desk) -> None:
    """Forged ones cannot make a history long."""
    looks = [desk.may_verify(REQUEST.id) for _ in range(210)]
    assert looks == [True] * 200 + [False] * 10


def test_what_has_not_the_form_of_a_signature_is_not_looked_at(desk: Desk) -> None:
    """It uses up no look, which only a signature that could be right does."""
    for shape in ("-", "A" * 88, "A" * 86 + "=", "né" * 43 + "=="):
        refused = desk.check(signed(ANN).model_copy(update={"signature": shape}), NOW)
        assert refused is not None
        assert refused.code == "FORGED"
    for _ in range(200):
        assert not desk.is_exhausted(REQUEST.id)
        desk.may_verify(REQUEST.id)
    assert desk.is_exhausted(REQUEST.id)


def test_votes_may_be_there_from_the_beginning() -> None:
    """That of whoever edited."""
    made, edit = Desk(), Cast(signed(ANN, "edit", arguments={"a": 1}), AskedAction(arguments={}, policy="p"))  # fmt: skip
    made.open(REQUEST, votes=[edit])
    assert made.submit(signed(ANN), NOW).code == "ALREADY_VOTED"
    assert made.submit(signed(BEN), NOW).missing == 0
    assert made.take(REQUEST.id).votes[0] == edit


def test_tiers_follow_each_other() -> None:
    """Each begins when the one before is over; what is not said is the deployment's."""
    later = Tier(tier="lead", who=("lead",), quorum=2, remind_every=timedelta(minutes=5))
    terms = Ask(deadline=2 * HOUR, escalation=(later,))
    first, second = asked_tiers("action", terms, NOW, timedelta(days=7))
    assert (first.who, first.quorum, first.until) == (("reviewer",), 1, NOW + 2 * HOUR)
    assert (second.who, second.quorum) == (("lead",), 2)
    assert (second.until, second.remind_every) == (NOW + 2 * HOUR + timedelta(days=7), 300.0)
    assert asked_tiers("outcome", Ask(), NOW, HOUR)[0].who == ("operator", "reviewer")


LEAD = Ask(tier="lead", who=("lead",))
TWO = Ask(quorum=2)


@pytest.mark.parametrize(
    ("by", "before", "after", "quorum", "enough", "counts"),
    [
        # The same terms, on which one was enough.
        (ANN, Ask(), Ask(), 1, True, False),
        (None, LEAD, LEAD, 1, True, False),
        # A tier that needs more, or others.
        (ANN, Ask(), TWO, 1, False, True),
        (None, Ask(), TWO, 1, False, True),
        (ANN, Ask(), LEAD, 1, False, False),
        (None, Ask(), LEAD, 1, False, False),
        (BEA, Ask(), LEAD, 1, True, False),
        # One alone where several were asked.
        (ANN, TWO, TWO, 2, False, True),
        (ANN, TWO, Ask(), 2, True, False),
        (ANN, Ask(), Ask(quorum=2, who=("lead",)), 1, False, False),
    ],
)
def test_whether_an_edit_is_enough(
    by: Person | None, before: Ask, after: Ask, quorum: int, enough: bool, counts: bool
) -> None:
    """It is, when whoever edited is all that the policy asks for on what they made of it."""
    tier = AskedTier(quorum=quorum, who=("reviewer",), until=NOW + HOUR)
    asked = REQUEST.model_copy(update={"tiers": (tier,)})
    edit = (
        signed(by, "edit", arguments={"a": 1})
        if by
        else Decision(request_id=asked.id, verb="edit", digest=asked.digest, arguments={"a": 1})
    )
    made = Desk()
    made.open(asked)
    assert made.submit(edit, NOW).accepted
    assert is_enough(before, after, made.take(asked.id)) is enough
    assert (not enough and counts_for(after, edit)) is counts


@pytest.mark.parametrize(
    ("after", "on_timeout", "more"),
    [
        (Tier(tier="desk", quorum=2, who=("reviewer",)), "deny", False),
        (Tier(tier="desk", quorum=3, who=("reviewer",)), "deny", True),
        (Tier(tier="desk", quorum=1, who=("reviewer",)), "deny", False),
        (Tier(tier="desk", quorum=3, who=("reviewer",)), "allow", False),
        (Tier(tier="desk", quorum=2, who=("user:ann", "user:ben")), "deny", True),
        (Tier(tier="lead", quorum=2, who=("lead",)), "deny", True),
        (Tier(tier="lead", quorum=1, who=("lead",)), "deny", False),
    ],
)
def test_what_asks_for_more(after: Tier, on_timeout: Any, more: bool) -> None:
    """More people, or named ones, or those who come later; and less in nothing."""
    asked = asked_tiers("action", Ask(**after.model_dump()), NOW, HOUR)
    assert asks_for_more(REQUEST, asked, on_timeout) is more


def test_people_that_nobody_can_compare_are_not_more() -> None:
    """Once the leads are asked, the desk is not, nor are others; some of the leads are."""
    escalated = REQUEST.model_copy(update={"asked": 1})
    for who, more in ((("reviewer",), False), (("board",), False), (("lead",), True)):
        asked = asked_tiers("action", Ask(quorum=2, who=who), NOW, HOUR)
        assert asks_for_more(escalated, asked, "deny") is more


def test_the_model_is_told_what_was_changed_and_why() -> None:
    """What is new, what is gone and what is other; long values are cut."""
    old = {"amount": "98.00", "note": "x" * 300, "to": "ann"}
    told = told_of_edit(old, {"amount": "89.00", "to": "ann", "by": 1}, "as on the invoice")
    assert told == (
        "A reviewer changed this call before it was made: "
        f'amount: "98.00" -> "89.00"; note: "{"x" * 199}... -> (nothing); by: (nothing) -> 1. '
        "Why: as on the invoice"
    )
    assert told_of_edit(old, old, "") == (
        "A reviewer changed this call before it was made: nothing."
    )
