"""Who decides in whose place: for a while, by the word of whoever is stood in for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from interlock.approvals.people import Person
from interlock.audit.credentials import SqlCredentials
from interlock.audit.database import Database
from interlock.errors import BadInput
from interlock.runs.delegations import Delegations

HOUR = timedelta(hours=1)
ANN = Person(subject="ann", roles=("lead",), tenants=("north",))
BEN = Person(subject="ben", name="Ben", roles=("caller",), tenants=("south",))
BOSS = Person(subject="boss", roles=("admin",), tenants=("*",))


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


@pytest_asyncio.fixture(loop_scope="session")
async def delegations(tmp_path: Path) -> AsyncIterator[Delegations]:
    """Delegations in a database of their own."""
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/audit.db") as database:
        yield Delegations(SqlCredentials(database))


async def test_a_place_has_the_roles_and_tenants_of_its_owner(delegations: Delegations) -> None:
    """As the configuration has them now, or as they were noted; and the name of who stands in."""
    await delegations.give(ANN, "ben", now() + HOUR)
    (place,) = await delegations.places(BEN, {})
    assert place == Person(
        subject="ben", name="Ben", roles=("lead",), tenants=("north",), acts_for="ann"
    )
    fallen = Person(subject="ann", roles=("caller",))
    (place,) = await delegations.places(BEN, {"ann": fallen})
    assert (place.roles, place.tenants) == (("caller",), ())
    assert await delegations.places(ANN, {}) == ()


async def test_it_ends_at_its_time_or_before(delegations: Delegations) -> None:
    """Whoever gave it ends it, or an admin of all tenants; nobody else does."""
    await delegations.give(ANN, "ben", now() + timedelta(milliseconds=1))
    assert await delegations.all() == []
    await delegations.give(ANN, "ben", now() + HOUR)
    (first,) = await delegations.all()
    assert not await delegations.end(BEN, first.id)
    assert not await delegations.end(ANN, first.id[:4])
    assert await delegations.end(ANN, first.id)
    assert await delegations.places(BEN, {}) == ()
    await delegations.give(ANN, "ben", now() + HOUR)
    assert await delegations.end(BOSS, (await delegations.all())[0].id)


async def test_what_is_no_delegation_is_refused(delegations: Delegations) -> None:
    """To oneself, passed on, of a key that ends by itself, or without an end that comes soon."""
    soon = now() + HOUR
    for giver, taker, until in (
        (ANN, "ann", soon),
        (ANN, "", soon),
        (ANN, "ben", now() - HOUR),
        (ANN, "ben", now() + timedelta(days=93)),
        (ANN, "ben", soon.replace(tzinfo=None)),
        (ANN.model_copy(update={"acts_for": "eve"}), "ben", soon),
        (Person(subject="machine:nightly", roles=("lead",)), "ben", soon),
    ):
        with pytest.raises(BadInput):
            await delegations.give(giver, taker, until)
    assert await delegations.all() == []


async def test_machines_stand_in_for_nobody(delegations: Delegations) -> None:
    """An API key has the roles that it was made with, and gives none of them away."""
    machine = Person(subject="machine:nightly", roles=("reviewer",), tenants=("north",))
    with pytest.raises(BadInput, match="only people stand in"):
        await delegations.give(ANN, machine.subject, now() + HOUR)
    with pytest.raises(BadInput, match="cannot let"):
        await delegations.give(machine, "ben", now() + HOUR)
    assert await delegations.places(machine, {}) == ()
