"""Requests, decisions and verdicts: data, safe in a workflow."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from interlock.approvals.people import Person, Role
from interlock.context import CallContext
from interlock.tools.contract import Risk, Span

Verb = Literal["approve", "edit", "reject", "respond"]
"""What a reviewer may do.

approve: do exactly this. edit: do it with other arguments, which are validated and judged again.
reject: do not do it, and tell the agent why. respond: answer in place of the tool.
"""

OutcomeVerb = Literal["happened", "did_not_happen", "abort"]
"""What a person may say of an UNKNOWN effect.

happened: it did, with this result. did_not_happen: call it. abort: end it for good, whatever became
of it.
"""

Kind = Literal["action", "question", "outcome"]
"""action: a tool call needs a decision. question: a node called `interrupt()`. outcome: an effect's
outcome is UNKNOWN."""


class JudgeRequest(BaseModel):
    """One action the policy is asked about, as its activity takes it."""

    model_config = ConfigDict(frozen=True)

    tool: str
    arguments: dict[str, Any]
    """Validated, canonical JSON arguments."""
    context: CallContext
    spans: tuple[Span, ...] | None = Field(default=None, exclude_if=lambda spans: spans is None)
    """Where text from outside reached the arguments; None: the run does not keep such text."""


class OutsideText(BaseModel):
    """A text that came from outside into a run."""

    model_config = ConfigDict(frozen=True)

    label: str
    source: str
    """Where it came from, for people."""
    text: str


class AskedTier(BaseModel):
    """Who is asked, how many of them have to agree, and until when."""

    model_config = ConfigDict(frozen=True)

    tier: str = ""
    """Its name, where the policy gives one."""
    quorum: int = 1
    who: tuple[str, ...] = (Role.REVIEWER,)
    """Roles, and people as 'user:SUBJECT'. Holds for signed decisions."""
    remind_every: float | None = None
    """Seconds between reminders."""
    until: datetime
    """From this moment on the next tier is asked, or the request has expired."""


class CastVote(BaseModel):
    """An approval that counts so far."""

    model_config = ConfigDict(frozen=True)

    reviewer: str
    verified: bool
    comment: str = ""
    acts_for: str = Field(default="", exclude_if=lambda subject: not subject)
    """In whose place the reviewer approved."""

    @property
    def voices(self) -> tuple[str, ...]:
        """Subjects whose approval it is."""
        return (self.reviewer, self.acts_for) if self.acts_for else (self.reviewer,)


class ApprovalRequest(BaseModel):
    """What a reviewer is asked, bound to one exact action."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Call id and digest, joined by ':'; never LangGraph's interrupt id."""
    kind: Kind = "action"
    tool: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    digest: str
    """SHA-256 over tool, arguments, tenant, agent release and policy version."""
    why: str
    """Why it was asked: the policy's reason."""
    risk: Risk
    agent: str
    tenant: str
    node: str = ""
    allowed: tuple[str, ...] = ("approve", "edit", "reject", "respond")
    """Verbs this request takes."""
    requested_at: datetime
    expires_at: datetime
    """When the last tier's time is over."""
    on_timeout: Literal["deny", "allow"] = "deny"
    """What holds when nobody decides before it expires."""
    payload: Any = None
    """What a reviewer sees beside the arguments: the value of `interrupt()`, or what is known of an
    UNKNOWN effect."""
    lineage: str = ""
    """The run that asks: a signed decision names it, so that no other run can use it."""
    barred: tuple[str, ...] = ()
    """Subjects whose own request it is: they may not decide on it."""
    tiers: tuple[AskedTier, ...] = ()
    """Who is asked, in order; empty: any reviewer until it expires."""
    asked: int = 0
    """Which of the tiers is asked now."""
    votes: tuple[CastVote, ...] = ()
    """Approvals that count so far, while more are needed."""
    spans: tuple[Span, ...] = ()
    """Where text from outside reached the arguments, when the policy judges by labels."""
    amount: Decimal | None = Field(default=None, exclude_if=lambda amount: amount is None)
    """How much the call is about, where its tool says which argument that is."""
    undo: str = Field(default="", exclude_if=lambda text: not text)
    """How a person takes it back, where its tool says."""

    def at(self, now: datetime) -> int:
        """Return which of the tiers is asked at a time; the last one when all are over."""
        over = sum(now >= tier.until for tier in self.tiers)
        return min(over, max(len(self.tiers) - 1, 0))

    def at_hand(self, now: datetime) -> AskedTier:
        """Return the tier that is asked at a time, or the last one."""
        return self.model_copy(update={"asked": self.at(now)}).tier

    @property
    def tier(self) -> AskedTier:
        """The tier that was asked when this was read (`asked`)."""
        if not self.tiers:
            return AskedTier(until=self.expires_at)
        return self.tiers[self.asked]


class Decision(BaseModel):
    """What a reviewer decided. A plain JSON object, so any Temporal client can send one.

    Signed, it names who decided and in which run; unsigned, it is `unverified`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request_id: str
    verb: Verb | OutcomeVerb
    digest: str
    """The digest of the request as the reviewer saw it."""
    arguments: dict[str, Any] | None = None
    """With `edit`: the complete new arguments."""
    result: Any = None
    """With `respond`: the answer. With `happened`: the result of the effect."""
    comment: str = Field(default="", max_length=4000)
    reviewer: str = Field(default="unverified", max_length=200)
    """Who decided, as the sender says. What a signed decision says is in `by`."""
    nonce: str = Field(default="", max_length=100)
    """Different in every decision: it counts once."""
    by: Person | None = None
    """Signed: who decided, as the service that signed it authenticated them."""
    lineage: str = Field(default="", max_length=2000)
    """Signed: the run that asked (`ApprovalRequest.lineage`)."""
    issued_at: AwareDatetime | None = None
    """Signed: when it was signed."""
    key_id: str = Field(default="", max_length=100)
    """Signed: which key signed it."""
    signature: str = Field(default="", max_length=200)
    """Ed25519 over the canonical JSON of all the rest, in Base64."""

    @model_validator(mode="after")
    def _is_signed_as_a_whole(self) -> Decision:
        proof = (self.by, self.lineage, self.issued_at, self.key_id, self.signature)
        if any(proof) and not (all(proof) and self.nonce):
            raise ValueError(
                "a signed decision has by, lineage, issued_at, key_id, nonce and signature; an "
                "unsigned one has none of them but the nonce"
            )
        return self

    @property
    def is_signed(self) -> bool:
        """Whether it carries a signature, right or wrong."""
        return self.by is not None

    @property
    def decided_by(self) -> str:
        """Who decided: verified where it is signed, and else what the sender says."""
        return self.by.subject if self.by else self.reviewer

    @property
    def acts_for(self) -> str:
        """In whose place, if a signed decision says so."""
        return self.by.acts_for if self.by else ""

    @property
    def voices(self) -> tuple[str, ...]:
        """Subjects whose word it is."""
        return self.by.voices if self.by else (self.reviewer,)

    @property
    def signed_off(self) -> str:
        """Who decided, and in whose place, for people."""
        return " for ".join(self.voices)


class DecisionAnswer(BaseModel):
    """What the sender of a decision is told."""

    model_config = ConfigDict(frozen=True)

    accepted: bool
    request_id: str
    missing: int = Field(default=0, exclude_if=lambda missing: not missing)
    """Approvals of other people that are still needed."""
    code: str = ""
    """Of a refusal; docs/errors.md lists them."""
    message: str = ""


class Verification(BaseModel):
    """What was found of a decision's signature."""

    model_config = ConfigDict(frozen=True)

    code: str = ""
    """Why it does not count; empty when it does."""
    message: str = ""


class Rejudged(BaseModel):
    """What became of one open request when the policy of today was asked about it."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    outcome: Literal["unchanged", "asked anew", "denied"]
    why: str
    """The policy's reason, or why nothing changed."""


class Notice(BaseModel):
    """Something about an open request that people should be told. Whoever tells it reads the rest.

    requested: it was put. reminder: nobody has decided. escalation: the next tier is asked.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["requested", "reminder", "escalation"]
    workflow_id: str
    request_id: str
    subject: str
    """The tool, or the kind of the request."""
    agent: str
    tenant: str
    risk: Risk
    tier: AskedTier
    """Who is asked now."""
    missing: int
    """Approvals that are still needed."""
