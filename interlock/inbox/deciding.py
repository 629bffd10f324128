"""A decision on its way to its run: who decides, on what exactly, and that it is sent once."""

from __future__ import annotations

import uuid
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interlock.approvals.contract import Decision, DecisionAnswer, OutcomeVerb, Verb
from interlock.approvals.people import Person
from interlock.canonical import digest as digest_of
from interlock.errors import BadInput, DecisionRefused, InterlockError, NotAllowed, wrong_fields
from interlock.inbox.board import Board
from interlock.inbox.people import DECIDING, RESOLVING, require
from interlock.inbox.requests import Requests, named, unknown
from interlock.runs.client import Runs

_OVER = ("ALREADY_DECIDED", "EXPIRED")
_OUTCOMES = ("happened", "did_not_happen", "abort")


class Choice(BaseModel):
    """What a reviewer chose for a request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: Verb | OutcomeVerb
    digest: str = Field(min_length=1, max_length=200)
    """The digest of the request as the reviewer saw it."""
    arguments: dict[str, Any] | None = None
    """With `edit`: the complete new arguments."""
    result: Any = None
    """With `respond`: the answer. With `happened`: the result of the effect."""
    comment: str = Field(default="", max_length=4000)


class Taken(BaseModel):
    """A decision that counts."""

    model_config = ConfigDict(frozen=True)

    accepted: bool = True
    key: str
    workflow_id: str
    request_id: str
    verb: str


class Decider:
    """Sends decisions of people who were authenticated here."""

    def __init__(self, runs: Runs, board: Board, requests: Requests) -> None:
        self._runs = runs
        self._board = board
        self._requests = requests

    async def decide(self, person: Person, key: str, choice: Choice, sending: str = "") -> Taken:
        """Send a decision on a request.

        Args:
            person: Who decides.
            key: Names the request.
            choice: What was chosen.
            sending: An idempotency key: the same one with the same choice is taken once.

        Raises:
            NotAllowed: the person has no role for it.
            RequestNotFound: there is no such request in the person's tenants.
            DecisionRefused: it does not count; the code says why.
            RunFinished: the run has ended.
        """
        roles = RESOLVING if choice.verb in _OUTCOMES else DECIDING
        require(person, roles, "decide on this")
        workflow_id, request_id = named(key)
        # Not only open requests: a late decision is for its run to refuse and to record.
        if not person.may_see(await self._requests.tenant_of(workflow_id)):
            raise unknown(key)
        decision = self._decision(person, request_id, choice)
        sent_as = _update_id(person, key, choice, sending) if sending else None
        answer = await self._send(workflow_id, decision, sent_as)
        if answer.accepted or answer.code in _OVER:
            await self._board.look_at(workflow_id)
        if not answer.accepted:
            raise DecisionRefused(
                answer.message, code=answer.code, request_id=request_id, workflow_id=workflow_id
            )
        return Taken(key=key, workflow_id=workflow_id, request_id=request_id, verb=choice.verb)

    async def _send(
        self, workflow_id: str, decision: Decision, sent_as: str | None
    ) -> DecisionAnswer:
        """Hand a decision to its run: the one place where decisions leave the inbox."""
        return await self._runs.decide(workflow_id, decision, key=sent_as)

    def _decision(self, person: Person, request_id: str, choice: Choice) -> Decision:
        try:
            return Decision(
                request_id=request_id,
                reviewer=person.subject,
                nonce=uuid.uuid4().hex,
                **choice.model_dump(),
            )
        except ValidationError as error:
            raise BadInput(f"this is no decision: {wrong_fields(error, 'decision')}.") from error


class Refused(BaseModel):
    """A decision of a batch that does not count."""

    model_config = ConfigDict(frozen=True)

    accepted: bool = False
    key: str
    code: str
    message: str


class OneOfMany(Choice):
    """A choice in a batch: each names its own request and has its own digest."""

    key: str = Field(min_length=1, max_length=4000)


async def decide_all(
    decider: Decider, person: Person, choices: list[OneOfMany], sending: str = ""
) -> list[Taken | Refused]:
    """Send decisions one after the other; one that is refused keeps no other back."""
    answers: list[Taken | Refused] = []
    for number, item in enumerate(choices):
        choice = Choice.model_validate(item.model_dump(exclude={"key"}))
        sent_as = f"{sending}/{number}" if sending else ""
        try:
            answers.append(await decider.decide(person, item.key, choice, sent_as))
        except NotAllowed:
            raise
        except InterlockError as error:
            code = str(error.details.get("code", error.code))
            answers.append(Refused(key=item.key, code=code, message=error.message))
    return answers


def _update_id(person: Person, key: str, choice: Choice, sending: str) -> str:
    """Return the name of this sending: Temporal takes an update of one name once."""
    chosen = digest_of(choice.model_dump(mode="json"))
    return "inbox-" + sha256(f"{person.subject}\n{sending}\n{key}\n{chosen}".encode()).hexdigest()
