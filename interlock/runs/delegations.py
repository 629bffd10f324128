"""Who may decide in whose place, and until when: told by whoever is to be stood in for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict

from interlock.approvals.people import EVERY_TENANT, Person, Role
from interlock.audit.credentials import Credential, SqlCredentials
from interlock.errors import BadInput

LONGEST = timedelta(days=92)
"""What somebody else's identity provider says of a person meanwhile is not seen here."""

MACHINE = "machine:"
"""How the subjects of API keys begin."""


class Delegation(BaseModel):
    """One person may decide in another's place for a while."""

    model_config = ConfigDict(frozen=True)

    id: str
    giver: Person
    """Who is stood in for, with the roles and tenants of then."""
    taker: str
    """Subject of whoever stands in."""
    until: datetime


class Delegations:
    """The delegations of a deployment.

    Args:
        credentials: Where they are kept: they end by themselves.
    """

    def __init__(self, credentials: SqlCredentials) -> None:
        self._credentials = credentials

    async def give(self, giver: Person, taker: str, until: datetime) -> None:
        """Let somebody decide in a person's place.

        Raises:
            BadInput: it is the same person; a machine gives or takes it; somebody who stands in for
                another passes it on; or the end is past, too far away, or without a zone.
        """
        if until.tzinfo is None:
            raise BadInput(f"{until.isoformat()} has no time zone. Write it with one, or 'Z'.")
        now = datetime.now(UTC)
        if not now < until <= now + LONGEST:
            raise BadInput(
                f"a delegation ends within {LONGEST.days} days, and not before now; "
                f"{until.isoformat()} does not."
            )
        if giver.acts_for or _is_machine(giver.subject) or taker in ("", giver.subject):
            raise BadInput(f"{giver.subject!r} cannot let {taker!r} decide: name somebody else.")
        if _is_machine(taker):
            raise BadInput(
                f"{taker!r} is an API key, and only people stand in for people. A key has the roles "
                "that it is made with: `interlock inbox key create`."
            )
        holder = {"giver": giver.model_dump(mode="json"), "taker": taker}
        # What it is kept under is known to nobody: it opens nothing.
        await self._credentials.issue("delegation", holder, until - now)

    async def all(self) -> list[Delegation]:
        """Return those that hold, the newest first."""
        return [_delegation(found) for found in await self._credentials.list("delegation")]

    async def end(self, giver: Person, delegation_id: str) -> bool:
        """End one of a person's delegations, or anybody's as an admin; False when there is none."""
        every = giver.has_role(Role.ADMIN) and EVERY_TENANT in giver.tenants
        mine = [d.id for d in await self.all() if every or d.giver.subject == giver.subject]
        if delegation_id not in mine:
            return False
        return await self._credentials.revoke("delegation", delegation_id) > 0

    async def places(self, person: Person, known: Mapping[str, Person]) -> tuple[Person, ...]:
        """Return a person as it is in the places of others.

        Args:
            person: Who was authenticated.
            known: People by subject as the configuration has them now, which counts more than what
                was noted.
        """
        if _is_machine(person.subject):
            return ()
        others = [d.giver for d in await self.all() if d.taker == person.subject]
        givers = {giver.subject: known.get(giver.subject, giver) for giver in reversed(others)}
        return tuple(_in_place_of(giver, person) for giver in givers.values())


def _is_machine(subject: str) -> bool:
    return subject.startswith(MACHINE)


def _in_place_of(giver: Person, person: Person) -> Person:
    return person.model_copy(
        update={"roles": giver.roles, "tenants": giver.tenants, "acts_for": giver.subject}
    )


def _delegation(found: Credential) -> Delegation:
    return Delegation(
        id=found.id,
        giver=Person.model_validate(found.holder["giver"]),
        taker=str(found.holder["taker"]),
        until=found.expires_at,
    )
