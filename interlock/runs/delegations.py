"""Who may decide in whose place, and until when: told by whoever is to be stood in for.

The command line, the API and the pages give and end delegations here, so the rules are the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from pydantic import BaseModel, ConfigDict

from interlock.approvals.people import EVERY_TENANT, Person, Role
from interlock.audit.contract import AuditEvent
from interlock.audit.credentials import Credential, SqlCredentials, credential_id
from interlock.audit.database import Database
from interlock.context import CallContext
from interlock.errors import BadInput, NotAllowed
from interlock.settings import Settings

LONGEST = timedelta(days=92)
"""What somebody else's identity provider says of a person meanwhile is not seen here."""

MACHINE = "machine:"
"""How the subjects of API keys begin."""

_LONGEST_SUBJECT = 200


class Delegation(BaseModel):
    """One person may decide in another's place for a while."""

    model_config = ConfigDict(frozen=True)

    id: str
    giver: Person
    """Who is stood in for, with the roles and tenants that count now."""
    taker: str
    """Subject of whoever stands in."""
    until: datetime

    def may_be_ended_by(self, person: Person) -> bool:
        """Whether a person may end it: who gave it, or an admin of all tenants."""
        return self.giver.subject == person.subject or _sees_all(person)


class Delegations:
    """The delegations of a deployment.

    Args:
        credentials: Where they are kept: they end by themselves.
        known: People by subject as the configuration has them now, which counts more than what was
            noted of them.
        others: Whether people that the configuration does not have can sign in.
    """

    def __init__(
        self, credentials: SqlCredentials, known: Mapping[str, Person], *, others: bool
    ) -> None:
        self._credentials = credentials
        self._known = known
        self._others = others

    async def give(self, giver: Person, taker: str, until: datetime, sending: str = "") -> None:
        """Let somebody decide in a person's place. It is recorded with the deed.

        Args:
            giver: Who is to be stood in for.
            taker: Subject of whoever stands in.
            until: When it ends.
            sending: An idempotency key: the same one with the same delegation gives it once.

        Raises:
            NotAllowed: the giver may be asked about nothing.
            BadInput: it is the same person or nobody who can sign in; a machine gives or takes it;
                somebody who stands in for another passes it on; or the end is past, too far away,
                or without a zone.
        """
        now, stands = datetime.now(UTC), self._known.get(giver.subject, giver)
        _refuse_time(until, now)
        _refuse_people(stands, giver, taker)
        if not self._others and taker not in self._known:
            raise BadInput(f"{taker!r} is none of this deployment's people: 'people' names them.")
        secret = _secret(giver.subject, taker, until, sending)
        # What the configuration says of a person counts when it is looked at.
        known = giver.subject in self._known
        noted = Person(subject=giver.subject, name=giver.name) if known else _plain(giver)
        holder = {"giver": noted.model_dump(mode="json"), "taker": taker}
        made = credential_id("delegation", secret)
        given = Delegation(id=made, giver=_plain(stands), taker=taker, until=until)
        event = _event(given, "given", giver, now)
        await self._credentials.keep("delegation", secret, holder, until, event)

    async def all(self) -> list[Delegation]:
        """Return those that hold, the newest first."""
        return [self._delegation(found) for found in await self._credentials.list("delegation")]

    async def seen_by(self, person: Person) -> list[Delegation]:
        """Return those that a person gave or has, or all to an admin of all tenants."""
        every = _sees_all(person)
        return [
            found
            for found in await self.all()
            if every or person.subject in (found.giver.subject, found.taker)
        ]

    async def end(self, person: Person, delegation_id: str) -> None:
        """End one of a person's delegations, or anybody's as an admin. It is recorded.

        Raises:
            BadInput: there is none that this person may end.
        """
        stands = self._known.get(person.subject, person)
        for found in await self.all():
            if found.id == delegation_id and found.may_be_ended_by(stands):
                event = _event(found, "ended", person, datetime.now(UTC))
                if await self._credentials.revoke("delegation", found.id, event):
                    return
        raise BadInput(f"{person.subject!r} has given no delegation {delegation_id!r}. List them.")

    async def places(self, person: Person) -> tuple[Person, ...]:
        """Return a person, who was authenticated, as it is in the places of others."""
        if _is_machine(person.subject):
            return ()
        found = reversed([d for d in await self.all() if d.taker == person.subject])
        givers = {d.giver.subject: d.giver for d in found}
        return tuple(_in_place_of(giver, person) for giver in givers.values())

    def _delegation(self, found: Credential) -> Delegation:
        giver = Person.model_validate(found.holder["giver"])
        return Delegation(
            id=found.id,
            giver=self._known.get(giver.subject, giver),
            taker=str(found.holder["taker"]),
            until=found.expires_at,
        )


def delegations_of(settings: Settings, database: Database) -> Delegations:
    """Return the delegations of a deployment."""
    people = (Person.model_validate(person.model_dump()) for person in settings.people)
    known = {person.subject: person for person in people}
    others = settings.oidc.issuer is not None
    return Delegations(SqlCredentials(database), known, others=others)


def _refuse_time(until: datetime, now: datetime) -> None:
    if until.tzinfo is None:
        raise BadInput(f"{until.isoformat()} has no time zone. Write it with one, or 'Z'.")
    if not now < until <= now + LONGEST:
        raise BadInput(
            f"a delegation ends within {LONGEST.days} days, and not before now; "
            f"{until.isoformat()} does not."
        )


def _refuse_people(stands: Person, giver: Person, taker: str) -> None:
    wrong = taker in ("", giver.subject) or len(taker) > _LONGEST_SUBJECT
    if giver.acts_for or _is_machine(giver.subject) or wrong:
        raise BadInput(
            f"{giver.subject!r} cannot let {taker[:_LONGEST_SUBJECT]!r} decide: name somebody else."
        )
    if _is_machine(taker):
        raise BadInput(
            f"{taker!r} is an API key, and only people stand in for people. A key has the roles "
            "that it is made with: `interlock inbox key create`."
        )
    if not stands.may_be_asked:
        raise NotAllowed(
            f"{giver.subject!r} has nothing to hand over: nobody without the role 'reviewer', or "
            "another one that a policy asks, decides on anything."
        )


def _is_machine(subject: str) -> bool:
    return subject.startswith(MACHINE)


def _secret(giver: str, taker: str, until: datetime, sending: str) -> str:
    """Return what a delegation is kept under: of one sending always the same. It opens nothing."""
    if not sending:
        return uuid.uuid4().hex
    told = "\n".join((giver, sending, taker, until.astimezone(UTC).isoformat()))
    return sha256(told.encode("utf-8", "backslashreplace")).hexdigest()


def _event(found: Delegation, outcome: str, person: Person, now: datetime) -> AuditEvent:
    giver = found.giver
    return AuditEvent(
        id=f"delegation/{found.id}/{outcome}",
        kind="delegation",
        name=found.id,
        outcome=outcome,
        workflow_id="",
        context=CallContext(agent="", tenant=_tenant_of(giver)),
        started_at=now,
        ended_at=now,
        details={
            "giver": giver.subject,
            "taker": found.taker,
            "roles": list(giver.roles),
            "tenants": list(giver.tenants),
            "until": found.until.isoformat(),
            "by": person.subject,
        },
    )


def _tenant_of(giver: Person) -> str:
    """Return the one tenant that a delegation is about, or the word for all: the details tell."""
    return giver.tenants[0] if len(giver.tenants) == 1 else EVERY_TENANT


def _sees_all(person: Person) -> bool:
    return person.has_role(Role.ADMIN) and EVERY_TENANT in person.tenants


def _in_place_of(giver: Person, person: Person) -> Person:
    return person.model_copy(
        update={"roles": giver.roles, "tenants": giver.tenants, "acts_for": giver.subject}
    )


def _plain(person: Person) -> Person:
    """Return a person without what it may do in the places of others."""
    return Person.model_validate(person.model_dump())
