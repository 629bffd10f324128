"""Which requests `interlock approvals` lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from interlock.approvals.contract import AskedTier, CastVote
from interlock.approvals.people import Person
from interlock.runs.asked import RequestFilter
from tests.unit.cli.waiting import request

ANN = Person(subject="ann", roles=("reviewer",), tenants=("default",))
LEA = Person(subject="lea", roles=("lead",), tenants=("*",))


def asked(minutes: int = 0) -> tuple[AskedTier, ...]:
    """A desk for an hour and then a lead, some minutes after it was asked."""
    start = datetime.now(UTC) - timedelta(minutes=minutes)
    return (
        AskedTier(tier="desk", quorum=2, until=start + timedelta(hours=1)),
        AskedTier(tier="lead", who=("lead",), until=start + timedelta(hours=2)),
    )


@pytest.mark.parametrize(
    ("conditions", "is_listed"),
    [
        ({}, True),
        ({"tenant": "default", "risk": "high", "tool": "refund"}, True),
        ({"tenant": "north"}, False),
        ({"risk": "low"}, False),
        ({"at_least": 40}, True),
        ({"at_least": "40.01"}, False),
        ({"tool": "pay"}, False),
        ({"tool": "pay", "risk": "high"}, False),
    ],
)
def test_all_conditions_hold(conditions: dict[str, Any], is_listed: bool) -> None:
    """One that is not given does not filter."""
    where = RequestFilter.model_validate(conditions)
    assert where.fits(request(tiers=asked(), amount="40.00"), None) is is_listed


def test_what_has_no_amount_is_about_none() -> None:
    """It is listed where every amount is."""
    assert RequestFilter(at_least=Decimal(0)).fits(request(), None)
    assert not RequestFilter(at_least=Decimal(1)).fits(request(), None)


@pytest.mark.parametrize(
    ("person", "fields", "after", "is_listed"),
    [
        (ANN, {}, 0, True),
        (LEA, {}, 0, False),
        (ANN, {}, 61, False),
        (LEA, {}, 61, True),
        (ANN, {"tenant": "north"}, 0, False),
        (LEA, {"tenant": "north"}, 61, True),
        (ANN, {"barred": ("ann",)}, 0, False),
        (ANN, {"votes": (CastVote(reviewer="ann", verified=True),)}, 0, False),
        (ANN, {"votes": (CastVote(reviewer="ben", verified=True),)}, 0, True),
    ],
)
def test_mine_is_what_waits_for_me(
    person: Person, fields: dict[str, Any], after: int, is_listed: bool
) -> None:
    """What this person may decide at that minute and has not approved yet; nobody has any."""
    where = RequestFilter(mine=True)
    seen = request(tiers=asked(after), **fields)
    assert where.fits(seen, person) is is_listed
    assert where.fits(seen, Person(subject="eve"), person) is is_listed, "in the place of another"
    assert not where.fits(seen, None)
