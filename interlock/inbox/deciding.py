"""A decision on its way to its run: who decides, on what exactly, and that it is sent once."""

from __future__ import annotations

import uuid
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from interlock.approvals.contract import ApprovalRequest, Decision, OutcomeVerb, Verb
from interlock.approvals.people import Person
from interlock.approvals.signatures import DecisionSigner
from interlock.canonical import digest as digest_of
from interlock.canonical import jsonable
from interlock.errors import (
    BadInput,
    DecisionRefused,
    InterlockError,
    NotAllowed,
    NotSerializable,
    wrong_fields,
)
from interlock.inbox.board import Board
from interlock.inbox.masking import has_masks
from interlock.inbox.people import let_review
from interlock.inbox.requests import Requests, deciding_as
from interlock.runs.client import Runs

_OVER = ("ALREADY_DECIDED", "EXPIRED")


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

    @model_validator(mode="after")
    def _can_be_sent(self) -> Choice:
        try:
            jsonable([self.digest, self.arguments, self.result, self.comment])
        except NotSerializable as error:
            raise ValueError(
                "a text in it holds half of a character, or it is nested too deeply"
            ) from error
        return self


class Taken(BaseModel):
    """A decision that counts."""

    model_config = ConfigDict(frozen=True)

    accepted: bool = True
    key: str
    workflow_id: str
    request_id: str
    verb: str
    missing: int = 0
    """Approvals of other people that are still needed."""


class Decider:
    """Sends decisions of people who were authenticated here.

    Args:
        runs: The deployment's runs.
        board: Told when a decision has changed what waits.
        requests: What is open.
        signer: Signs for them; None where decisions go unsigned, in development.
    """

    def __init__(
        self, runs: Runs, board: Board, requests: Requests, signer: DecisionSigner | None
    ) -> None:
        self._runs = runs
        self._board = board
        self._requests = requests
        self._signer = signer

    async def decide(self, person: Person, key: str, choice: Choice, sending: str = "") -> Taken:
        """Send a decision on a request.

        Args:
            person: Who decides.
            key: Names the request.
            choice: What was chosen.
            sending: An idempotency key: the same one with the same choice is taken once.

        Raises:
            BadInput: it is none, or an edit's arguments are masked ones.
            NotAllowed: the person has no role to decide on anything.
            RequestNotFound: there is no such request in the person's tenants.
            DecisionRefused: it does not count; the code says why.
            RunFinished: the run has ended.
        """
        let_review(person)
        workflow_id, request_id, request = await self._requests.at_hand(person, key)
        _refuse_masks(choice, request)
        sent_as = _update_id(person, key, choice, sending) if sending else None
        said = {**choice.model_dump(exclude={"verb", "digest"}), "nonce": _nonce(sent_as)}
        try:
            decision = self._made(person, request_id, request, choice, said)
        except ValidationError as error:
            raise BadInput(f"this is no decision: {wrong_fields(error, 'decision')}.") from error
        answer = await self._runs.decide(workflow_id, decision, key=sent_as)
        if answer.accepted and answer.missing:
            await self._board.look_at(workflow_id)
        elif answer.accepted or answer.code in _OVER:
            await self._board.take_off(workflow_id, request_id)
        if not answer.accepted:
            raise refused(answer.code, answer.message, request_id, workflow_id)
        return Taken(
            key=key,
            workflow_id=workflow_id,
            request_id=request_id,
            verb=choice.verb,
            missing=answer.missing,
        )

    def _made(
        self,
        person: Person,
        request_id: str,
        request: ApprovalRequest | None,
        choice: Choice,
        said: dict[str, Any],
    ) -> Decision:
        """Return the decision as it leaves: signed, or by somebody who may decide."""
        standing, refusal = deciding_as(person, request) if request else (person, None)
        if request is not None and self._signer is not None:
            seen = request.model_copy(update={"digest": choice.digest})
            return self._signer.sign(seen, standing, choice.verb, **said)
        if refusal is not None:  # an unsigned decision has no roles that its run could check
            raise refused(refusal.code, refusal.message, request_id)
        # A late decision is for its run to refuse and to record; what is over cannot be signed.
        return Decision(
            request_id=request_id,
            verb=choice.verb,
            digest=choice.digest,
            reviewer=person.subject,
            **said,
        )


def _refuse_masks(choice: Choice, request: ApprovalRequest | None) -> None:
    """Refuse an edit of arguments as they were shown: a mask is not what it stands for."""
    before = request.arguments if request else {}
    if has_masks(choice.arguments) and not has_masks(before):
        raise BadInput(
            "these arguments hold masks such as \u27e6secret\u27e7 in place of values. Read the request with "
            "POST .../reveal, and change what that gives."
        )


def refused(code: str, message: str, request_id: str, workflow_id: str = "") -> DecisionRefused:
    """Return the error of a decision that does not count."""
    return DecisionRefused(message, code=code, request_id=request_id, workflow_id=workflow_id)


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


def _nonce(sent_as: str | None) -> str:
    """Return a decision's nonce: of one sending always the same, so that it counts once."""
    return sha256(sent_as.encode()).hexdigest()[:40] if sent_as else uuid.uuid4().hex
