"""Whatever people send, in whatever order and at whatever time, an approval rests on the right ones."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.approvals.contract import AskedTier, Decision
from interlock.approvals.desk import Desk
from interlock.approvals.people import Person
from interlock.approvals.signatures import DecisionSigner, SigningKey
from tests.unit.approvals.test_desk import NOW, request

KEY = SigningKey.new()
ENDS = (60, 150, 300)
"""The minutes in which the time of each tier is over."""
TIERS = tuple(
    AskedTier(
        tier=f"t{place}", quorum=quorum, who=(f"r{place}",), until=NOW + timedelta(minutes=end)
    )
    for place, (quorum, end) in enumerate(zip((2, 3, 1), ENDS, strict=True))
)
REQUEST = request(
    tiers=TIERS, expires_at=TIERS[-1].until, lineage="run-1", barred=("barred",), digest="d" * 64
)
PEOPLE = [
    *(Person(subject=f"p{n}", roles=("r0",), tenants=("t",)) for n in range(3)),
    *(Person(subject=f"q{n}", roles=("r0", "r1"), tenants=("*",)) for n in range(3)),
    Person(subject="owner", roles=("r2",), tenants=("t",)),
    Person(subject="barred", roles=("r0", "r1", "r2"), tenants=("t",)),
    Person(subject="foreign", roles=("r0", "r1", "r2"), tenants=("u",)),
]
SIGNED = {
    (person.subject, verb, copy): DecisionSigner(KEY).sign(
        REQUEST, person, verb, nonce=f"{person.subject}-{verb}-{copy}"
    )
    for person in PEOPLE
    for verb in ("approve", "reject")
    for copy in range(2)
}


class Sent(NamedTuple):
    """A decision, and how many minutes after the one before it comes."""

    decision: Decision
    after: int


SENDING = st.lists(
    st.builds(Sent, st.sampled_from(list(SIGNED.values())), st.sampled_from([0, 0, 1, 20, 70])),
    max_size=30,
)


@settings(max_examples=300)
@given(SENDING)
def test_an_approval_rests_on_as_many_of_those_who_are_asked(sent: list[Sent]) -> None:
    """Different people of one tier, in its time, none of whom may not; and nothing counts after it."""
    desk, minutes = Desk(require_signature=True), 0
    desk.open(REQUEST)
    accepted: list[tuple[int, Decision]] = []
    for item in sent:
        minutes += item.after
        now, before = NOW + timedelta(minutes=minutes), desk.pending_at(NOW)
        was_decided = desk.is_decided(REQUEST.id)
        answer = desk.submit(item.decision, now)
        if answer.accepted:
            assert not was_decided
            accepted.append((minutes, item.decision))
        else:
            assert desk.pending_at(NOW) == before
    if not desk.is_decided(REQUEST.id):
        return
    ruling = desk.take(REQUEST.id)
    last, _ = accepted[-1]
    place = next(place for place, end in enumerate(ENDS) if last < end)
    start = ENDS[place - 1] if place else 0
    of_tier = [decision for at, decision in accepted if at >= start]
    assert ruling.tier.tier == f"t{place}"
    assert ruling.decision == of_tier[-1]
    for decision in of_tier:
        assert decision.by is not None
        assert f"r{place}" in decision.by.roles
        assert decision.by.subject not in ("barred", "foreign")
    if ruling.decision.verb == "approve":
        people = [decision.decided_by for decision in of_tier]
        assert len(set(people)) == len(people) == TIERS[place].quorum
        assert [vote.decision for vote in ruling.votes] == of_tier
