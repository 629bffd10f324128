"""Who people are here: from the configuration, or from the claims of an identity provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from interlock.approvals.people import EVERY_TENANT, Person, Role
from interlock.errors import NotAllowed, NotSignedIn
from interlock.settings import OidcSettings, PersonSettings

REVIEWING = (Role.REVIEWER, Role.OPERATOR, Role.ADMIN)
"""Roles that see every request of their tenants; others see those that they are asked about."""


_LONGEST_SUBJECT = 200
_ASK = "Ask whoever keeps 'people' in interlock.toml, or the roles at your identity provider."


class SignedIn(Person):
    """Who is signed in, and in whose places it may decide."""

    places: tuple[Person, ...] = Field(default=(), exclude=True)


def standings(person: Person) -> tuple[Person, ...]:
    """Return as whom somebody may decide: in its own right first, then in others' places."""
    places = person.places if isinstance(person, SignedIn) else ()
    return (Person.model_validate(person.model_dump()), *places)


class People:
    """Whoever the configuration names, by subject."""

    def __init__(self, people: Iterable[PersonSettings]) -> None:
        made = (Person.model_validate(person.model_dump()) for person in people)
        self._by_subject = {person.subject: person for person in made}

    def named(self, subject: str) -> Person | None:
        """Return the person of a subject, if the configuration has it."""
        return self._by_subject.get(subject)

    @property
    def all(self) -> Mapping[str, Person]:
        """Everybody, by subject."""
        return self._by_subject

    def known_as(self, person: Person) -> Person:
        """Return what the configuration says of a person, or else the person as it came."""
        return self._by_subject.get(person.subject, person)

    def kept(self, person: Person) -> Person:
        """Return what is kept of a person who signs in.

        Of one that the configuration has, only who it is: what stands there counts at each request,
        and once it is gone, nothing does.
        """
        known = self.named(person.subject)
        return person if known is None else Person(subject=known.subject, name=known.name)


def whoever_started(subject: str) -> Person:
    """Return a person that may do everything: who starts the inbox owns the deployment's files."""
    roles = (Role.ADMIN, Role.CALLER, Role.OPERATOR, Role.REVIEWER)
    return Person(subject=subject, roles=roles, tenants=(EVERY_TENANT,))


def let_follow(person: Person) -> None:
    """Let only someone with a role go on: whoever has one sees the runs of its tenants.

    Raises:
        NotAllowed: the person has none.
    """
    if not person.roles:
        raise NotAllowed(f"{person.subject!r} has no role and may see nothing. {_ASK}")


def let_review(person: Person) -> None:
    """Let only someone go on who may be asked about something.

    Raises:
        NotAllowed: the person starts runs at most.
    """
    if not any(one.may_be_asked for one in standings(person)):
        raise NotAllowed(
            f"{person.subject!r} may not see requests or decide: that takes the role 'reviewer', or "
            f"another one that a policy asks. {_ASK}"
        )


def person_of(claims: Mapping[str, Any], settings: OidcSettings) -> Person:
    """Return the person that verified claims tell of.

    Raises:
        NotSignedIn: the subject is none that can be kept whole.
    """
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        # Cut, or written as text, it could be somebody else's.
        raise NotSignedIn("the subject of this token is no text of 1 to 200 characters.")
    return Person(
        subject=subject,
        name=str(claims.get(settings.name_claim) or "")[:200],
        roles=_mapped(claims.get(settings.roles_claim), settings.roles),
        tenants=_mapped(claims.get(settings.tenants_claim), settings.tenants),
    )


def _mapped(claim: Any, names: Mapping[str, str]) -> tuple[str, ...]:
    values = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    texts = [value for value in values if isinstance(value, str)]
    if not names:
        return tuple(texts)
    return tuple(names[text] for text in texts if text in names)
