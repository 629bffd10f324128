"""Whose decisions leave this command line, and how: signed for a person, or unverified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from interlock.approvals.contract import ApprovalRequest, DecisionAnswer
from interlock.approvals.people import Person
from interlock.approvals.signatures import DecisionSigner
from interlock.cli import requests
from interlock.errors import BadInput
from interlock.runs.asked import refusal_of
from interlock.runs.client import Runs
from interlock.runs.contract import OpenRequest
from interlock.settings import Settings
from interlock.signing import decision_signer


@dataclass(frozen=True)
class Hand:
    """Who decides here."""

    person: Person | None = None
    """One of the deployment's people, where somebody said which."""
    signer: DecisionSigner | None = None
    """Where this machine has the key."""

    @property
    def signs(self) -> bool:
        """Whether decisions are signed here."""
        return self.person is not None and self.signer is not None

    async def decide(
        self, runs: Runs, item: OpenRequest, verb: str, **fields: Any
    ) -> DecisionAnswer:
        """Send a decision on a request as it was read, and return the run's answer.

        Raises:
            DecisionRefused: it does not count; the code says why.
            RunFinished: the run has ended.
            BadInput: a comment or a name is too long, or a name is given beside a signature.
        """
        request = item.request
        if self.person is None or self.signer is None:
            named = {"reviewer": self.person.subject} if self.person else {}
            said = {**named, **fields}
            return await requests.put(
                runs, item.workflow_id, request.id, request.digest, verb, **said
            )
        if "reviewer" in fields:
            raise BadInput(
                f"this is signed for {self.person.subject!r}: leave --reviewer out, or name "
                "another person with --as."
            )
        standing = await _standing(runs.settings, self.person, request)
        decision = self.signer.sign(request, standing, verb, **fields)
        return await requests.send(runs, item.workflow_id, decision)


async def _standing(settings: Settings, person: Person, request: ApprovalRequest) -> Person:
    """Return as whom a person decides: in another's place, where it may not in its own right."""
    if refusal_of(person, request) is None:
        return person  # without a look at the database, which may be out of reach here
    places = await places_of(settings, person)
    return next((place for place in places if refusal_of(place, request) is None), person)


async def places_of(settings: Settings, person: Person) -> tuple[Person, ...]:
    """Return a person as it is in the places of others.

    Raises:
        DatabaseUnreachable: the audit database does not answer.
    """
    from interlock.app import database_url
    from interlock.audit.database import Database
    from interlock.runs.delegations import delegations_of

    async with Database(database_url(settings)) as database:
        return await delegations_of(settings, database).places(person)


def hand_of(settings: Settings, subject: str = "") -> Hand:
    """Return who decides at this command line.

    Args:
        settings: The deployment's.
        subject: Who, if somebody said so; else `approvals.decide_as`.

    Raises:
        BadInput: the deployment has no such person, or does not say which it is although only
            signed decisions count.
        ConfigError: the key that the settings name is none.
    """
    given = settings.approvals
    person = person_named(settings, subject)
    has_key = given.signing_key_env is not None or given.signing_key_file is not None
    if has_key and person is None and settings.signatures_required:
        raise BadInput(
            "only signed decisions count, and nobody is named to sign for. Say who decides: --as "
            f"SUBJECT, or the setting 'approvals.decide_as'. {_known(settings)}"
        )
    return Hand(person, decision_signer(settings) if has_key else None)


def person_named(settings: Settings, subject: str = "") -> Person | None:
    """Return the person that a command is for, or None when nobody said.

    Args:
        settings: The deployment's.
        subject: Who, if somebody said so; else `approvals.decide_as`.

    Raises:
        BadInput: the deployment has no such person.
    """
    named = subject or settings.approvals.decide_as
    if not named:
        return None
    for found in settings.people:
        if found.subject == named:
            return Person.model_validate(found.model_dump())
    raise BadInput(
        f"{named!r} is none of this deployment's people. {_known(settings)} Name one of them with "
        "--as, or add one as [[people]]."
    )


def _known(settings: Settings) -> str:
    names = ", ".join(repr(person.subject) for person in settings.people) or "nobody"
    return f"'people' in interlock.toml has: {names}."
