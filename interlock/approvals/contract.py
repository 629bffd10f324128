"""Requests, decisions and verdicts: data, safe in a workflow."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.context import CallContext
from interlock.tools.contract import Risk

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
    on_timeout: Literal["deny", "allow"] = "deny"
    """What holds when nobody decides before it expires."""
    payload: Any = None
    """What a reviewer sees beside the arguments: the value of `interrupt()`, or what is known of an
    UNKNOWN effect."""


class Decision(BaseModel):
    """What a reviewer decided. A plain JSON object, so any Temporal client can send one."""

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
    nonce: str = Field(default="", max_length=100)


class DecisionAnswer(BaseModel):
    """What the sender of a decision is told."""

    model_config = ConfigDict(frozen=True)

    accepted: bool
    request_id: str
    code: str = ""
    """Of a refusal: UNKNOWN_REQUEST, ALREADY_DECIDED, EXPIRED, DIGEST_MISMATCH, VERB_NOT_ALLOWED,
    BAD_ARGUMENTS or MALFORMED."""
    message: str = ""
