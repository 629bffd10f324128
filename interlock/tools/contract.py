"""What a tool is and what crosses its activity: data and ports, safe in a workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from contextvars import ContextVar
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, Protocol

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from interlock.audit.contract import AuditEvent, BreakerRow
from interlock.canonical import digest
from interlock.context import CallContext
from interlock.tools.throttle import Throttle
from interlock.tools.values import Duration, Names, in_order, listed


class Effect(StrEnum):
    """What a call does to the world; it decides how the call is recorded and repeated."""

    PURE = "PURE"
    """The same answer for the same input; nothing outside is read."""
    READ = "READ"
    """Reads the outside world and changes nothing."""
    IDEMPOTENT = "IDEMPOTENT"
    """Changes the world; the other side honours an idempotency key, of calls at the same time too."""
    EXTERNAL = "EXTERNAL"
    """Changes the world; the other side does not know about keys."""

    @property
    def changes_world(self) -> bool:
        """Whether a call is claimed in the ledger before it is made."""
        return self in (Effect.IDEMPOTENT, Effect.EXTERNAL)


class Risk(StrEnum):
    """How bad a wrong call would be; the default policy decides by it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Breaker(BaseModel):
    """When the calls of a dependency are stopped for a while, for all workers together."""

    model_config = ConfigDict(frozen=True)

    failure_rate: float = Field(default=0.5, gt=0, le=1)
    """Share of failed calls in the window from which on it opens."""
    window_seconds: int = Field(default=30, ge=1, le=600)
    """How long a call counts."""
    min_calls: int = Field(default=10, ge=1)
    """Fewer calls in the window never open it."""
    open_seconds: float = Field(default=30.0, gt=0)
    """How long it stays open before one call, the probe, is let through."""


class Cache(BaseModel):
    """How long the answers of a tool that changes nothing are kept, for each tenant."""

    model_config = ConfigDict(frozen=True)

    ttl_seconds: float = Field(gt=0)
    """How long an answer is taken for true."""
    tags: tuple[str, ...] = ()
    """What `interlock cache forget` may name to forget them sooner."""


Label = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
"""The name of a kind of text from outside."""

STOCK_LABEL = "stock"
"""What stock tools bring has it, unless they say otherwise: an MCP server's answers, a search's."""

Labels = Annotated[tuple[Label, ...], BeforeValidator(listed), AfterValidator(in_order)]
"""One label or several; neither order nor repetition counts."""


class ToolContract(BaseModel):
    """All that a workflow, a policy and a reviewer need to know of a tool, without its code."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    description: str
    effect: Effect
    risk: Risk = Risk.LOW
    """The risk when the tool has no rule by arguments, and the floor of that rule's answer."""
    parameters: dict[str, Any]
    """JSON schema of the arguments."""
    result: dict[str, Any] | None = None
    """JSON schema of the result; None means any JSON value."""
    timeout_seconds: float = Field(default=30.0, gt=0)
    """Longest time of one attempt, the call itself included."""
    attempts: int = Field(default=3, ge=1)
    """Attempts of one logical call when the other side is unavailable."""
    throttle: Throttle | None = None
    concurrency: int | None = Field(default=None, ge=1, strict=True)
    """Calls that may run at once, of all workers together; None means any number."""
    dependency: str = ""
    """What the tool calls, if a circuit breaker watches it; tools may share one."""
    breaker: Breaker | None = None
    """The breaker of the dependency; None: that of its other tools, or the default."""
    while_open: Literal["fail", "wait"] = "fail"
    """fail: the model is told at once. wait: the call is made when the breaker lets it."""
    cache: Cache | None = None
    """READ or PURE: answers are kept for a while. Errors are not."""
    reconciles: bool = False
    """Whether the tool can say what happened to a call whose answer was lost."""
    local: bool = False
    """READ or PURE, without limits, under a second and free of secrets: runs as a local activity."""
    labels: Labels = Field(default=(), exclude_if=lambda labels: not labels)
    """Labels of its results: they hold text that others wrote. None: it is the deployment's own."""
    amount: str = Field(default="", max_length=200, exclude_if=lambda path: not path)
    """Path of the argument that says how much a call is about, which reviewers filter by."""
    undo: str = Field(default="", max_length=500, exclude_if=lambda text: not text)
    """How a person takes it back, for reviewers; empty: nobody has said."""

    @property
    def version(self) -> str:
        """First 12 hex digits of the contract's digest: part of the agent's release."""
        return digest(self.model_dump(mode="json"))[:12]


class Span(BaseModel):
    """A value of an action that text from outside has, too."""

    model_config = ConfigDict(frozen=True)

    argument: str
    """Path of the value in the arguments: 'account', 'address.city' or 'lines[0].sku'."""
    label: str
    """Of the text."""
    source: str = ""
    """Where the text came from: 'input', 'message ID', 'tool NAME [CALL ID]', or the path of an item
    in memory."""
    excerpt: str = ""
    """The words around the value there."""
    begin: int = 0
    """Where in the excerpt the value begins, in characters."""
    end: int = 0
    """Where it ends."""

    def __str__(self) -> str:
        """Return it as one line for people, with the value in brackets."""
        begin, end = self.begin, self.end
        said = f"{self.excerpt[:begin]}[{self.excerpt[begin:end]}]{self.excerpt[end:]}"
        parts = (self.argument, self.label, self.source, said if self.excerpt else "")
        return ": ".join(part for part in parts if part)


class MatchedRule(BaseModel):
    """The rule of a policy file that gave a verdict."""

    model_config = ConfigDict(frozen=True)

    name: str
    line: int
    """Where the rule began in the file when it was matched."""


class Tier(BaseModel):
    """One group of reviewers: who they are, how many have to agree, and how long they are asked.

    Spans of time are text such as '4h' in JSON and in YAML.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: str = Field(default="", max_length=60)
    """Its name."""
    quorum: int = Field(default=1, ge=1, le=20)
    """How many different people have to approve the same action."""
    who: Names = ()
    """Roles, and people as 'user:SUBJECT'; empty: whoever may decide on such requests at all."""
    deadline: Duration | None = None
    """How long they are asked; None: as long as the deployment's settings say."""
    remind_every: Duration | None = None
    """How often they are reminded."""


class Ask(Tier):
    """On what terms people are asked: those who are asked first, and what comes after them."""

    on_timeout: Literal["deny", "allow"] = "deny"
    """What holds when nobody decided before the last deadline."""
    escalation: tuple[Tier, ...] = ()
    """Whoever is asked when those before did not decide in time, in order."""


class Verdict(BaseModel):
    """What the policy says of one action; evaluated once and recorded."""

    model_config = ConfigDict(frozen=True)

    outcome: Literal["allow", "ask", "deny"]
    reason: str
    risk: Risk
    policy: str
    """Version of the policy: the first 12 hex digits of its digest."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What was judged. A history keeps the answers of local activities but not their inputs, so
    this is where it shows what a local tool was called with."""
    rule: MatchedRule | None = None
    """The rule that matched; None when none did, and of policies that have no rules."""
    ask: Ask | None = None
    """With outcome `ask`: the terms, where they differ from the deployment's own."""
    totals: dict[str, Decimal] = Field(default_factory=dict)
    """Running totals as they were when it was evaluated, by name."""
    labels: tuple[str, ...] = Field(default=(), exclude_if=lambda labels: not labels)
    """Labels of the text from outside that reached the arguments."""
    spans: tuple[Span, ...] = Field(default=(), exclude_if=lambda spans: not spans)
    """Where it reached them: the most telling ones, and one for each label at least."""


class AskedAction(BaseModel):
    """The action that a reviewer saw and changed."""

    model_config = ConfigDict(frozen=True)

    arguments: dict[str, Any]
    policy: str
    """Version of the policy that its digest was made with."""


class Vote(BaseModel):
    """One signed decision that a grant rests on; it is verified again before the effect."""

    model_config = ConfigDict(frozen=True)

    decision: dict[str, Any]
    """`interlock.approvals.Decision` as JSON."""
    asked: AskedAction | None = Field(default=None, exclude_if=lambda asked: asked is None)
    """Of an edit: what it was about before."""


class Grant(BaseModel):
    """A human decision as the activity sees it: bound to one action, single-use, expiring."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    digest: str
    """`action_digest` of the action that was decided on."""
    reviewer: str
    decided_at: datetime
    expires_at: datetime
    votes: tuple[Vote, ...] = Field(default=(), exclude_if=lambda votes: not votes)
    """The signed decisions that it rests on; none: it is unverified, or the policy's own word."""
    quorum: int = Field(default=1, exclude_if=lambda quorum: quorum == 1)
    """How many different people had to approve."""
    who: Names = Field(default=(), exclude_if=lambda who: not who)
    """Roles and people who might decide."""
    barred: Names = Field(default=(), exclude_if=lambda barred: not barred)
    """Subjects whose own request it was."""
    by_policy: bool = Field(default=False, exclude_if=lambda given: not given)
    """Nobody decided in time, and the policy allows it then."""


class ToolCall(BaseModel):
    """One logical tool call, as its activity takes it."""

    model_config = ConfigDict(frozen=True)

    call_id: str
    """The model's tool call id, or '<LangGraph task id>:<index>' when a node calls directly."""
    tool: str
    arguments: dict[str, Any]
    """Validated, canonical JSON arguments."""
    effect_key: str
    """The ledger's key: equal for every attempt of this logical call, and for nothing else."""
    context: CallContext
    policy: str = ""
    """Version of the policy that judged the call."""
    unjudged: bool = False
    """Nobody judged it yet: its activity does, before anything else."""
    grant: Grant | None = None
    must_have_grant: bool = False
    """True when the verdict was `ask`: without a valid grant nothing is called."""
    resolution: Literal["happened", "did_not_happen", "abort"] | None = None
    """A person's word on an UNKNOWN outcome."""
    resolved_token: int | None = None
    """Token of the UNKNOWN row that the person judged (`known["token"]` of the outcome). A call is
    made on `did_not_happen` only while the row still has it: a later UNKNOWN is another question."""
    resolved_result: Any = None
    """With `happened`: the result the person gave."""
    word: Grant | None = Field(default=None, exclude_if=lambda word: word is None)
    """The person's word itself, if it was signed."""
    deadline: AwareDatetime | None = Field(default=None, exclude=True)
    """When this attempt's call is over for certain. The gateway sets it from the claim, for the
    implementation alone: hand it to the other side, which must do nothing after it. None in
    `reconcile` and for tools that change nothing; not part of the JSON form."""


class ToolOutcome(BaseModel):
    """How a tool call ended. `status` decides which other fields are set."""

    model_config = ConfigDict(frozen=True)

    status: Literal["done", "retry", "failed", "unknown", "refused", "held"]
    """done: `result`. retry: the model should correct `message`. failed: a clear no. unknown:
    nobody can tell, a person is asked. refused: the grant does not hold (`code` says why). held:
    it came unjudged, and `verdict` does not allow it."""
    result: Any = None
    code: str = ""
    message: str = ""
    cached: bool = False
    """The result is a kept answer: the tool was not called."""
    replayed: bool = False
    """The result was already in the ledger: the effect was not made again."""
    known: dict[str, Any] = Field(default_factory=dict)
    """With `unknown`: what is known, for the person who is asked."""
    verdict: Verdict | None = None
    """What the policy said of a call that came unjudged. None when it was made again after an
    attempt that had been allowed."""


class NotedResult(NamedTuple):
    """A result, and what the model is told beside it."""

    result: Any
    note: str


class Booking(BaseModel):
    """A call's turn under a rate."""

    model_config = ConfigDict(frozen=True)

    wait_seconds: float
    """How far away it is; 0 when the call may start."""
    limit: str
    """The rate as it is shown to people."""


def action_digest(
    tool: str, arguments: dict[str, Any], *, tenant: str, release: str, policy: str
) -> str:
    """Return the digest that a decision is bound to (architecture, section 4)."""
    return digest(
        {
            "tool": tool,
            "arguments": arguments,
            "tenant": tenant,
            "release": release,
            "policy": policy,
        }
    )


def effect_key(lineage: str, tool: str, arguments: dict[str, Any], occurrence: int) -> str:
    """Return the ledger key of the `occurrence`-th distinct logical call with equal arguments."""
    return digest([lineage, tool, arguments, occurrence])


def outcome_digest(key: str, token: int | None) -> str:
    """Return the digest that a word on an UNKNOWN effect is bound to.

    With the ledger's token: an old word, applied again by a reset, answers another question.
    """
    return digest({"outcome_of": key, "token": token})


class ToolPort(Protocol):
    """What stands behind every tool: the workflow's door, or the gateway itself outside one."""

    def call_tool(
        self, tool: ToolContract, arguments: dict[str, Any], tool_call_id: str | None
    ) -> Awaitable[Any]:
        """Make one logical call and return the result as JSON data.

        A model's call that a reviewer has edited returns a `NotedResult`.

        Args:
            tool: The contract of the tool.
            arguments: Arguments as the model or the node gave them, not yet validated.
            tool_call_id: The model's id, or None when a node calls directly.

        Raises:
            InterlockError: a `ModelMistake`, `ToolError` or `HumanNeeded` (see the error tree).
        """
        ...


class ToolObserver(Protocol):
    """Who is told of tool calls: the audit store, through the application."""

    def tool_called(
        self,
        call: ToolCall,
        outcome: ToolOutcome,
        *,
        started_at: datetime,
        ended_at: datetime,
        token: int,
    ) -> AuditEvent:
        """Return what is to be recorded of a call that ended; the same when its activity runs again.

        One call may end several times: unknown, then done after a person was asked. Call id, token
        and status tell the ends apart.

        Args:
            call: The call.
            outcome: How it ended.
            started_at: When this attempt began.
            ended_at: When this attempt ended.
            token: The ledger's token of this attempt, or 0 for a tool that changes nothing.
        """
        ...

    def record(self, events: Sequence[AuditEvent]) -> Awaitable[None]:
        """Record events that no change of the ledger has recorded with it."""
        ...

    def incident(self, call: ToolCall, what: str, *, at: datetime, token: int) -> Awaitable[None]:
        """Take note of something that should not happen, such as a late attempt's settlement."""
        ...

    def breaker_changed(
        self, call: ToolCall, breaker: BreakerRow, *, at: datetime
    ) -> Awaitable[None]:
        """Take note of a breaker that a call has opened or closed."""
        ...

    def breaker_seen(self, breaker: BreakerRow) -> None:
        """Take note of a breaker as this process has just read or written it, changed or not."""
        ...


TOOL_PORT: ContextVar[ToolPort] = ContextVar("interlock_tool_port")
"""The port of the current run or of the open application."""
