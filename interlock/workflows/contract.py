"""What crosses a run's outer boundary: requests, results, status and terms. Safe in a workflow."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.approvals.contract import ApprovalRequest, DecisionAnswer, OutsideText, Rejudged
from interlock.tools.contract import Ask, Grant, Verdict

RunState = Literal["running", "waiting", "idle", "completed", "failed", "cancelled"]
"""running: the graph moves. waiting: a person has to decide. idle: a conversation waits for a
message. The others are ends."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class RunRequest(_Data):
    """The input of `AgentWorkflow`: a plain JSON object for any Temporal client."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str
    """Name of a registered agent."""
    input: str | dict[str, Any]
    """A message, or the graph's input. `messages` may hold role/content objects."""
    tenant: str = "default"
    subject: str = ""
    """Opaque id of the person the run is about; never a name or an address."""
    requester: str = Field(default="", max_length=200, exclude_if=lambda subject: not subject)
    """Subject of whoever starts the run: they decide on none of its requests."""
    conversation: bool = False
    """Keep the run open for more messages after the first turn."""
    idle_seconds: float = Field(default=7 * 86400.0, gt=0)
    """How long a conversation waits for a message before it completes."""
    carried: Carried | None = None
    """Set by continue-as-new only."""


class Usage(_Data):
    """What a run has used so far."""

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    """Model calls without a known price: `cost_usd` does not count them."""
    models: dict[str, int] = Field(default_factory=dict)
    """Calls answered, by 'provider:model'."""
    mistakes: int = 0
    """Mistakes of the model in a row."""


class RunResult(_Data):
    """How a run ended."""

    status: Literal["completed", "cancelled"]
    reply: str = ""
    """Text of the last AI message, if the state has messages."""
    output: dict[str, Any] = Field(default_factory=dict)
    """The final state as plain JSON, without its messages."""
    reason: str = ""
    """Why it was cancelled."""
    usage: Usage = Usage()


class RunStatus(_Data):
    """Answer of the query `status`."""

    state: RunState
    agent: str
    release: str
    nodes: tuple[str, ...]
    """Nodes that run now or come next."""
    steps: int
    pending: int
    """Requests that wait for a decision."""
    unread: int
    """Messages that the graph has not seen yet."""
    explanation: str
    """One sentence: what the run is doing, and who can move it."""


class RunTerms(_Data):
    """Release and limits of a run: recorded once, so that settings may change under open runs."""

    release: str
    policy: str
    deadline_seconds: float
    grant_seconds: float
    model_mistakes: int
    steps: int
    signals: int
    history_events: int
    history_bytes: int
    judged_with_call: tuple[str, ...] = ()
    """Tools whose calls the policy allowed, whatever their arguments, when the run was opened: they
    are judged in the activity that makes them, and not by one of their own before it."""
    turns: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """Tools whose calls book a turn before they are made."""
    require_signature: bool = Field(default=False, exclude_if=lambda required: not required)
    """Only signed decisions count."""
    labels: bool = Field(default=False, exclude_if=lambda labels: not labels)
    """The policy judges by labels: the run keeps text from outside and looks for it in arguments."""
    notify: bool = Field(default=False, exclude_if=lambda notify: not notify)
    """There is somebody to tell when a request is put."""


class OpenRun(_Data):
    """Input of the activity that opens a run."""

    agent: str
    tenant: str
    subject: str
    lineage: str
    opened_at: datetime
    """By the run's clock, like the times of all that it tells the audit."""


class NodeCall(_Data):
    """State on its way into an activity node, or its update on the way back."""

    value: Any
    """The state or the update, in the form of `interlock.codec`."""


class NodeTerms(_Data):
    """How long an activity node may take, and how often it is tried."""

    timeout_seconds: float
    attempts: int


class Granted(_Data):
    """What a decision allowed for one logical call; a retry of that call may use it again."""

    arguments: dict[str, Any]
    """The arguments that were approved, edited or not."""
    grant: Grant
    policy: str
    """Version of the policy that the grant's digest was made with."""
    note: str = Field(default="", exclude_if=lambda note: not note)
    """What the model is told of an edit."""
    asked_on: Ask | None = Field(default=None, exclude_if=lambda terms: terms is None)
    """On what terms, when people were asked before the call was made: it holds for no others."""


class Ruled(_Data):
    """What was ruled on one logical call: a retry of it is neither judged nor asked for again."""

    verdicts: dict[str, Verdict] = Field(default_factory=dict)
    """By digest of tool and arguments."""
    granted: dict[str, Granted] = Field(default_factory=dict)
    """By digest of the action that was asked for; an edit allows another one."""
    unseen: bool = False
    """Whether nobody was asked about the call, because it was wrong: then it is never made."""
    ended: bool = False
    """Whether the call was made, however it ended."""


class Carried(_Data):
    """Everything a run takes with it when it continues as new."""

    terms: RunTerms
    checkpoint: dict[str, Any]
    """The whole LangGraph checkpoint, in the form of `interlock.codec`."""
    usage: Usage
    steps: int
    steps_before: int
    """Of the turns before the open one."""
    model_calls: int
    """Number of the last model call, so that call ids stay unique in the lineage."""
    occurrences: dict[str, list[str]]
    """Logical calls by digest of tool and arguments, in order."""
    tool_call_ids: tuple[str, ...] = ()
    """Ids of all tool calls that models made: a repeated one gets another id."""
    ruled: dict[str, Ruled] = Field(default_factory=dict)
    """Verdicts and decisions by logical call: of calls to come, and of the newest that are over."""
    offered: tuple[str, ...] = ()
    """Tools that models of this run were offered."""
    transcript: dict[str, str]
    """Known transcript prefixes: rolling digest to reference."""
    binding: dict[str, str]
    """Known bindings: digest to reference."""
    decided: dict[str, str]
    """Verbs of decided requests, by request id: a decision is used once."""
    messages: list[dict[str, Any]]
    """Messages not yet seen by the graph."""
    refusals: int
    answers: dict[str, DecisionAnswer] = Field(
        default_factory=dict, exclude_if=lambda answers: not answers
    )
    """What senders of the newest accepted decisions were told, by id of the update."""
    turn_open: bool
    """Whether the graph stopped in the middle of a turn."""
    outside: tuple[OutsideText, ...] = Field(default=(), exclude_if=lambda texts: not texts)
    """Text from outside that the run has seen, oldest first."""
    first_opened_at: datetime


class PendingApprovals(_Data):
    """Answer of the query `pending_approvals`."""

    requests: tuple[ApprovalRequest, ...]


class RejudgeAnswer(_Data):
    """Answer of the update `rejudge`."""

    requests: tuple[Rejudged, ...]


class MessageAnswer(_Data):
    """Answer of the update `submit_message`."""

    accepted: bool
    code: str = ""
    message: str = ""


RunRequest.model_rebuild()
