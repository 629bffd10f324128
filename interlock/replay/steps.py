"""What happened in a run, one step for each thing a person cares about. Data only.

`reader` makes steps of history events. A history keeps no input of local activities, only what their
answers repeat of it: where they do not, a question is None or empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from interlock.approvals.contract import DecisionAnswer
from interlock.tools.contract import Ask, MatchedRule, Span

Ending = Literal["completed", "failed", "cancelled", "terminated", "timed_out", "continued_as_new"]


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True)

    event_id: int
    """The history event that tells of it."""
    at: datetime
    """When it was over."""


class _Call(_Step):
    """A call through a door."""

    node: str = ""
    """The graph node that made it."""
    attempts: int = 1
    seconds: float | None = None
    """Time of the last attempt."""
    error: Problem | None = None
    """Why there is no answer."""


class Problem(BaseModel):
    """A failure, as Temporal carries it."""

    model_config = ConfigDict(frozen=True)

    code: str
    """A code of the error tree, or the type of another exception."""
    message: str
    details: dict[str, Any] = Field(default_factory=dict)


class Said(BaseModel):
    """A message, as short as it can be read."""

    model_config = ConfigDict(frozen=True)

    role: str
    """user, assistant, system, tool, or the name of another message class."""
    text: str
    tool_calls: tuple[dict[str, Any], ...] = ()
    """`name`, `args` and `id` of each call that the message asks for."""
    id: str = ""
    """Id of the message."""


class Started(_Step):
    """The run began, or went on from an earlier one."""

    kind: Literal["started"] = "started"
    workflow_type: str
    agent: str = ""
    """Empty for a workflow of the deployment's own, which names its agent later."""
    input: Any = None
    tenant: str = ""
    subject: str = ""
    conversation: bool = False
    continued: bool = False
    """It goes on where another run of the chain stopped."""


class Opened(_Call):
    """The run's release and limits were fixed."""

    kind: Literal["opened"] = "opened"
    release: str = ""
    policy: str = ""


class ModelCalled(_Call):
    """One call of a model."""

    kind: Literal["model"] = "model"
    role: str
    call_id: str
    prefix: str = ""
    """Reference of the stored transcript that the new messages follow."""
    new_messages: tuple[Said, ...] = ()
    model: str = ""
    """The candidate that answered."""
    answer: Said | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    model_seconds: float = 0.0
    """What the gateway measured, without queues."""
    fell_back: tuple[str, ...] = ()
    ref: str = ""
    """Reference of the transcript that ends with the answer."""


class Judged(_Call):
    """The policy's word on one action."""

    kind: Literal["verdict"] = "verdict"
    tool: str
    arguments: dict[str, Any] | None = None
    outcome: str = ""
    reason: str = ""
    risk: str = ""
    policy: str = ""
    rule: MatchedRule | None = None
    """The rule that matched, and its line at that time."""
    ask: Ask | None = None
    """On what terms a person is asked, where the policy says."""
    totals: dict[str, Decimal] = Field(default_factory=dict)
    """Running totals as they were."""
    spans: tuple[Span, ...] = Field(default=(), exclude_if=lambda spans: not spans)
    """Where text from outside reached the arguments."""


class Asked(_Step):
    """The run waits for a person."""

    kind: Literal["asked"] = "asked"
    request_id: str
    tool: str = ""
    """The tool, or `question` for an `interrupt()` of the graph."""
    arguments: dict[str, Any] | None = None
    why: str = ""
    risk: str = ""
    seconds_to_decide: float | None = None


class Decided(_Step):
    """Somebody sent a decision; it counted or it was refused."""

    kind: Literal["decided"] = "decided"
    request_id: str
    verb: str
    accepted: bool
    reviewer: str = ""
    comment: str = ""
    arguments: dict[str, Any] | None = None
    result: Any = None
    missing: int = Field(default=0, exclude_if=lambda missing: not missing)
    """Approvals of other people that were still needed after it, as far as the history shows it."""
    code: str = ""
    """Of a refusal. A signal gets no answer, so for signals it is what the history shows."""
    message: str = ""


class Withdrawn(_Step):
    """A request was taken back without a decision: it expired, or its run was stopped."""

    kind: Literal["withdrawn"] = "withdrawn"
    request_id: str


class ToolCalled(_Call):
    """One call of a tool."""

    kind: Literal["tool"] = "tool"
    tool: str
    call_id: str = ""
    arguments: dict[str, Any] | None = None
    status: str = ""
    """done, retry, failed, unknown or refused; empty when the call has no answer."""
    result: Any = None
    code: str = ""
    message: str = ""
    replayed: bool = False
    """The ledger had the result: nothing was done again."""
    request_id: str = ""
    """The request whose decision allowed it."""
    reviewer: str = ""
    local: bool = False


class Waited(_Step):
    """A tool call waits for its turn under a rate; `at` is when it began to."""

    kind: Literal["waited"] = "waited"
    tool: str
    limit: str
    """For example '10/s' or '2/s of each tenant'."""
    seconds: float


class Found(BaseModel):
    """One item that memory gave."""

    model_config = ConfigDict(frozen=True)

    namespace: tuple[str, ...]
    key: str
    title: str = ""
    """Its title, or the beginning of what it says."""
    score: float | None = None


class Remembered(_Call):
    """One batch of operations on long-term memory."""

    kind: Literal["memory"] = "memory"
    ops: tuple[str, ...] = ()
    """get, search, put or list."""
    queries: tuple[str, ...] = ()
    found: tuple[Found, ...] = ()


class NodeRan(_Call):
    """A node that is one activity."""

    kind: Literal["node"] = "node"
    input: Any = None
    result: Any = None


class ActivityRan(_Call):
    """Any other activity, of a workflow of the deployment's own."""

    kind: Literal["activity"] = "activity"
    name: str
    input: Any = None
    result: Any = None


class Received(_Step):
    """A message for a conversation."""

    kind: Literal["message"] = "message"
    message: Any
    accepted: bool = True
    code: str = ""


class Signalled(_Step):
    """Another signal or update, of a workflow of the deployment's own."""

    kind: Literal["signal"] = "signal"
    name: str
    input: Any = None


class CancelAsked(_Step):
    """Somebody asked the run to stop."""

    kind: Literal["cancel_asked"] = "cancel_asked"
    reason: str = ""


class Stumbled(_Step):
    """A worker could not go on with the run: changed code, or a fault of its own. It is retried."""

    kind: Literal["stumbled"] = "stumbled"
    cause: str
    message: str = ""


class Ended(_Step):
    """The run's end."""

    kind: Literal["ended"] = "ended"
    status: Ending
    result: Any = None
    error: Problem | None = None
    next_run_id: str = ""
    """With `continued_as_new`: where the chain goes on."""


Step = Annotated[
    Started
    | Opened
    | ModelCalled
    | Judged
    | Asked
    | Decided
    | Withdrawn
    | ToolCalled
    | Waited
    | Remembered
    | NodeRan
    | ActivityRan
    | Received
    | Signalled
    | CancelAsked
    | Stumbled
    | Ended,
    Field(discriminator="kind"),
]
"""One thing that happened in a run, as its history tells it."""


class Totals(BaseModel):
    """What the steps of a run, or of a chain of runs, add up to."""

    model_config = ConfigDict(frozen=True)

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0
    """Model calls without a known price: `cost_usd` does not count them."""
    models: dict[str, int] = Field(default_factory=dict)
    """Calls answered, by 'provider:model'."""
    requests: int = 0
    """Decisions that were asked for."""
    decisions: int = 0
    """Decisions that counted."""
    refusals: int = 0
    """Decisions that did not."""
    failures: int = 0
    """Calls without an answer."""
    seconds: float = 0.0
    """From the first step to the last."""


def totals(steps: Iterable[Step]) -> Totals:
    """Add up steps: calls, tokens, cost, decisions and time."""
    listed = list(steps)
    models = [step for step in listed if isinstance(step, ModelCalled) and step.answer is not None]
    decided = [step for step in listed if isinstance(step, Decided)]
    names = [step.model for step in models]
    return Totals(
        model_calls=len(models),
        tool_calls=sum(isinstance(step, ToolCalled) and step.status == "done" for step in listed),
        input_tokens=sum(step.input_tokens for step in models),
        output_tokens=sum(step.output_tokens for step in models),
        cost_usd=sum(step.cost_usd or 0.0 for step in models),
        unpriced_calls=sum(step.cost_usd is None for step in models),
        models={name: names.count(name) for name in dict.fromkeys(names)},
        requests=sum(isinstance(step, Asked) for step in listed),
        decisions=sum(step.accepted for step in decided),
        refusals=sum(not step.accepted for step in decided),
        failures=sum(isinstance(step, _Call) and step.error is not None for step in listed),
        seconds=(listed[-1].at - listed[0].at).total_seconds() if listed else 0.0,
    )


def _signed_off(decision: dict[str, Any]) -> str:
    by, reviewer = decision.get("by"), str(decision.get("reviewer", ""))
    place = by.get("acts_for") if isinstance(by, dict) else None
    return f"{reviewer} for {place}" if place else reviewer


def decision_step(
    event_id: int, at: datetime, decision: dict[str, Any], answer: DecisionAnswer
) -> Decided:
    """Return the step of a decision that was sent and what it was answered."""
    return Decided(
        event_id=event_id,
        at=at,
        request_id=str(decision.get("request_id", "")),
        verb=str(decision.get("verb", "")),
        accepted=answer.accepted,
        reviewer=_signed_off(decision),
        comment=str(decision.get("comment", "")),
        arguments=decision.get("arguments"),
        result=decision.get("result"),
        missing=answer.missing,
        code=answer.code,
        message=answer.message,
    )
