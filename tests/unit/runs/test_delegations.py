"""Who decides in whose place: for a while, by the word of whoever is stood in for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from interlock.approvals.people import Person
from interlock.audit.contract import AuditEvent, EventFilter
from interlock.audit.credentials import SqlCredentials
from interlock.audit.database import Database
from interlock.audit.store import SqlAuditStore
from interlock.errors import BadInput, NotAllowed
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
        yield Delegations(SqlCredentials(database), {}, others=True)


def knowing(delegations: Delegations, *people: Person, others: bool = True) -> Delegations:
    """The same delegations, of a deployment whose configuration has these people."""
    known = {person.subject: person for person in people}
    return Delegations(delegations._credentials, known, others=others)


async def events(delegations: Delegations) -> list[AuditEvent]:
    """What the audit has of delegations."""
    store = SqlAuditStore(delegations._credentials._database)
    return await store.events(EventFilter(kind="delegation"))


async def test_a_place_has_the_roles_and_tenants_of_its_owner(delegations: Delegations) -> None:
    """As the configuration has them now, or as they were noted; and the name of who stands in."""
    await delegations.give(ANN, "ben", now() + HOUR)
    (place,) = await delegations.places(BEN)
    assert place == Person(
        subject="ben", name="Ben", roles=("lead",), tenants=("north",), acts_for="ann"
    )
    fallen = Person(subject="ann", roles=("caller",))
    (place,) = await knowing(delegations, fallen).places(BEN)
    assert (place.roles, place.tenants) == (("caller",), ())
    assert await delegations.places(ANN) == ()


async def test_it_ends_at_its_time_or_before(delegations: Delegations) -> None:
    """Whoever gave it ends it, or an admin of all tenants; nobody else does."""
    await delegations.give(ANN, "ben", now() + HOUR)
    (first,) = await delegations.all()
    for person, wanted in ((BEN, first.id), (ANN, first.id[:4])):
        with pytest.raises(BadInput, match="given no delegation"):
            await delegations.end(person, wanted)
    await delegations.end(ANN, first.id)
    assert await delegations.places(BEN) == ()
    await delegations.give(ANN, "ben", now() + HOUR)
    await delegations.end(BOSS, (await delegations.all())[0].id)
    assert await delegations.all() == []


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
    assert await delegations.places(machine) == ()


async def test_only_who_may_be_asked_gives_and_only_who_can_sign_in_takes(
    delegations: Delegations,
) -> None:
    """As the configuration has it now; a caller's, or one to a misspelt name, would help nobody."""
    with pytest.raises(NotAllowed, match="nothing to hand over"):
        await delegations.give(BEN, "ann", now() + HOUR)
    fallen = ANN.model_copy(update={"roles": ("caller",)})
    with pytest.raises(NotAllowed, match="nothing to hand over"):
        await knowing(delegations, fallen).give(ANN, "ben", now() + HOUR)
    closed = knowing(delegations, ANN, BEN, others=False)
    with pytest.raises(BadInput, match="'bne' is none of this deployment's people"):
        await closed.give(ANN, "bne", now() + HOUR)
    await closed.give(ANN, "ben", now() + HOUR)
    assert [found.taker for found in await closed.all()] == ["ben"]


async def test_giving_and_ending_are_recorded(delegations: Delegations) -> None:
    """Who, for whom, with which rights, until when, and by whom: once each, and no refusal."""
    until = now() + HOUR
    with pytest.raises(BadInput):
        await delegations.give(ANN, "ann", until)
    await delegations.give(ANN, "ben", until)
    (found,) = await delegations.all()
    await delegations.end(BOSS, found.id)
    with pytest.raises(BadInput):
        await delegations.end(BOSS, found.id)
    given, ended = await events(delegations)
    assert (given.outcome, ended.outcome) == ("given", "ended")
    assert (given.name, given.context.tenant) == (found.id, "north")
    assert given.details == {
        "giver": "ann",
        "taker": "ben",
        "roles": ["lead"],
        "tenants": ["north"],
        "until": found.until.isoformat(),
        "by": "ann",
    }
    assert ended.details == {**given.details, "by": "boss"}


async def test_a_sending_gives_once(delegations: Delegations) -> None:
    """Sent again it gives no second one, nor again one that was ended; another sending does."""
    until = now() + HOUR
    for sending in ("once", "once", "other"):
        await delegations.give(ANN, "ben", until, sending)
    first, second = await delegations.all()
    for found in (first, second):
        await delegations.end(ANN, found.id)
    await delegations.give(ANN, "ben", until, "once")
    assert await delegations.all() == []
    assert len(await events(delegations)) == 4


async def test_a_person_sees_its_own(delegations: Delegations) -> None:
    """Those it gave and those it has; an admin of all tenants sees every one."""
    await delegations.give(ANN, "ben", now() + HOUR)
    seen = [len(await delegations.seen_by(who)) for who in (ANN, BEN, BOSS)]
    assert seen == [1, 1, 1]
    eve = Person(subject="eve", roles=("admin",), tenants=("north",))
    assert await delegations.seen_by(eve) == []
