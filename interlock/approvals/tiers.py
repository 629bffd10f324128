"""Whom a request asks, one tier after the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from interlock.approvals.contract import ApprovalRequest, AskedTier, Kind
from interlock.approvals.people import Role
from interlock.tools.contract import Ask, Tier

_WHO: dict[Kind, tuple[str, ...]] = {
    "action": (Role.REVIEWER,),
    "question": (Role.REVIEWER,),
    "outcome": (Role.OPERATOR, Role.REVIEWER),
}
"""Who may decide where the policy does not say."""


def who_may(kind: Kind, tier: Tier) -> tuple[str, ...]:
    """Return the roles and people that a tier of a request asks."""
    return tier.who or tuple(str(role) for role in _WHO[kind])


def asked_tiers(
    kind: Kind, terms: Ask, now: datetime, deadline: timedelta
) -> tuple[AskedTier, ...]:
    """Return whom a request asks, in order, each with the moment when its time is over.

    Args:
        kind: Kind of the request.
        terms: On what terms it is asked.
        now: When it is asked.
        deadline: How long a tier is asked whose terms do not say.
    """
    until, found = now, []
    tier: Tier
    for tier in (terms, *terms.escalation):
        until += tier.deadline or deadline
        every = tier.remind_every
        found.append(
            AskedTier(
                tier=tier.tier,
                quorum=tier.quorum,
                who=who_may(kind, tier),
                remind_every=every.total_seconds() if every else None,
                until=until,
            )
        )
    return tuple(found)


def asks_for_more(
    before: ApprovalRequest, after: Sequence[AskedTier], on_timeout: Literal["deny", "allow"]
) -> bool:
    """Whether other terms ask for more care than a request does now, and for less in nothing.

    More people, a tier that comes later, some of those who were asked, named people instead of any
    reviewer, or nothing done where nobody decides. Whom nobody can compare are not more.

    Args:
        before: The request, as it is now.
        after: Whom it would ask.
        on_timeout: What would hold when nobody decided.
    """
    later = {tier.tier: tier for tier in before.tiers[before.asked + 1 :] if tier.tier}
    now, new = before.tier, after[0]
    measure = later.get(new.tier, now)
    timeouts = (before.on_timeout, on_timeout)
    if new.quorum < measure.quorum or timeouts == ("deny", "allow"):
        return False
    if measure is now and not _is_part(new.who, now.who):
        return False
    return (
        measure is not now
        or new.quorum > now.quorum
        or new.who != now.who
        or timeouts == ("allow", "deny")
    )


def _is_part(who: tuple[str, ...], of: tuple[str, ...]) -> bool:
    """Whether nobody may decide who might not before: any reviewer stands for everybody."""
    return of == (Role.REVIEWER,) or all(name in of for name in who)
