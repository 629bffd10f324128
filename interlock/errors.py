"""Every error of Interlock, split by who must act.

The tree::

    InterlockError
    ├── ModelMistake          the model acts: it reads the message and tries again
    │   ├── ToolRetry           TOOL_RETRY
    │   ├── UnknownTool         UNKNOWN_TOOL
    │   └── BadArguments        BAD_ARGUMENTS
    ├── ToolError             the model, or the graph's code, acts
    │   ├── ToolFailed          TOOL_FAILED       a clear no from the other side: nothing happened
    │   ├── ToolUnavailable     TOOL_UNAVAILABLE  retries are spent: nothing happened
    │   ├── CircuitOpen         CIRCUIT_OPEN      its dependency fails: nothing was called
    │   ├── EffectAborted       EFFECT_ABORTED    a person ended it: nobody knows whether it happened
    │   ├── BadResult           BAD_RESULT        the result does not fit the tool's output model
    │   └── ResultTooLarge      RESULT_TOO_LARGE
    ├── HumanNeeded           a person acts, or has acted
    │   ├── ApprovalRejected    APPROVAL_REJECTED
    │   ├── ApprovalExpired     APPROVAL_EXPIRED
    │   ├── ActionDenied        ACTION_DENIED
    │   ├── DecisionRefused     DECISION_REFUSED
    │   └── OutcomeUnknown      OUTCOME_UNKNOWN
    ├── CallerError           the caller acts
    │   ├── BadInput            BAD_INPUT
    │   ├── UnknownAgent        UNKNOWN_AGENT
    │   ├── RunNotFound         RUN_NOT_FOUND
    │   ├── RunFinished         RUN_FINISHED
    │   ├── RunCancelled        RUN_CANCELLED
    │   ├── NotAConversation    NOT_A_CONVERSATION
    │   ├── NotSignedIn         NOT_SIGNED_IN
    │   ├── NotAllowed          NOT_ALLOWED
    │   ├── RequestNotFound     REQUEST_NOT_FOUND
    │   ├── TooManyRequests     TOO_MANY_REQUESTS
    │   └── LimitReached        LIMIT_REACHED
    ├── DeveloperError        whoever writes the agent, the tools or the configuration acts
    │   ├── ConfigError         CONFIG_INVALID
    │   ├── UnsupportedInWorkflow UNSUPPORTED_IN_WORKFLOW
    │   ├── GraphFailed         GRAPH_FAILED
    │   ├── NoPort              NO_PORT
    │   ├── ScriptMismatch      SCRIPT_MISMATCH
    │   ├── NotSerializable     NOT_SERIALIZABLE
    │   └── ReplayDiverged      REPLAY_DIVERGED
    └── OperatorError         whoever runs the deployment acts
        ├── ModelUnavailable    MODEL_UNAVAILABLE
        ├── ModelMissing        MODEL_MISSING
        ├── ModelFileCorrupt    MODEL_FILE_CORRUPT
        ├── TemporalUnreachable TEMPORAL_UNREACHABLE
        ├── NoWorker            NO_WORKER
        ├── StoreLocked         STORE_LOCKED
        ├── StoreUnwritable     STORE_UNWRITABLE
        ├── StoreUnreachable    STORE_UNREACHABLE
        ├── DatabaseBusy        DATABASE_BUSY
        ├── DatabaseUnreachable DATABASE_UNREACHABLE
        ├── PayloadMissing      PAYLOAD_MISSING
        ├── ActivityFailed      ACTIVITY_FAILED
        ├── NotTold             NOT_TOLD
        ├── Throttled           THROTTLED
        └── LedgerConflict      LEDGER_CONFLICT

``code`` is stable and is the ``type`` of the ``ApplicationError`` that crosses Temporal.
``retryable`` says whether the same call may succeed if it is simply made again.
A message names the thing with ``!r``, says what is allowed and what to do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import ValidationError

LONGEST_MESSAGE = 8_000
"""Characters of a message. A longer one is cut: it names a thing that is no name, and a failure over
Temporal's payload limit could never be reported, so its run would be tried for ever."""


_ADDRESS = re.compile(
    r"(\b[a-z][a-z0-9+.-]{0,30}://)([^\s/?#@'\"]*@)?([^\s?'\"<>]*)(\?[^\s'\"<>]+)?", re.I
)


class InterlockError(Exception):
    """Root of the tree. ``code`` is stable; ``retryable`` is about the same call made again."""

    code: ClassVar[str] = "INTERLOCK"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, /, **details: Any) -> None:
        """Keep ``message`` and JSON-safe ``details`` (shown by ``--json``, carried over Temporal)."""
        message = shortened(without_secrets(message))
        super().__init__(message)
        self.message = message
        self.details = details

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling with the details."""
        return (_rebuild, (type(self), self.message, self.details))


def shortened(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Return `text`, or as much of its beginning and its end as `longest` characters hold."""
    if len(text) <= longest:
        return text
    gap = f" ... [{len(text)} characters] ... "
    kept = longest - len(gap)
    return text[: kept // 2] + gap + text[len(text) - (kept - kept // 2) :]


def without_secrets(text: str) -> str:
    """Return `text` without what its addresses may hold of secrets: their credentials and queries.

    Libraries put the whole address of a request into their errors, and services take keys in it.
    """
    return _ADDRESS.sub(_address_alone, text)


def _address_alone(found: re.Match[str]) -> str:
    scheme, credentials, place, query = found.groups()
    return f"{scheme}{'...@' if credentials else ''}{place}{'?...' if query else ''}"


def said(error: BaseException) -> str:
    """Return what an error of other code says: its type and its message, without secrets."""
    return f"{type(error).__name__}: {without_secrets(str(error))}"


def wrong_fields(error: ValidationError, whole: str) -> str:
    """Name each field that pydantic refused, with the reason; `whole` stands for all of the data."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or whole}: {item['msg']}" for item in error.errors()
    )


def _rebuild(kind: type[InterlockError], message: str, details: dict[str, Any]) -> InterlockError:
    return kind(message, **details)


class ModelMistake(InterlockError):
    """The model asked for something it cannot have; it reads the message and tries again."""

    code = "MODEL_MISTAKE"


class ToolRetry(ModelMistake):
    """A tool's own word to the model: these arguments are wrong, and how to put them right."""

    code = "TOOL_RETRY"


class UnknownTool(ModelMistake):
    """The model named a tool that the agent does not have."""

    code = "UNKNOWN_TOOL"


class BadArguments(ModelMistake):
    """The arguments do not fit the tool's model."""

    code = "BAD_ARGUMENTS"


class ToolError(InterlockError):
    """A tool call ended without its result."""

    code = "TOOL_ERROR"


class ToolFailed(ToolError):
    """The other side said no, for certain: the effect did not happen."""

    code = "TOOL_FAILED"


class ToolUnavailable(ToolError):
    """The retries of a tool call are spent and its effect did not happen.

    A tool raises it when it knows that nothing happened, and may say when to come back:
    ``ToolUnavailable("closed for lunch", retry_after_seconds=1800)``.
    """

    code = "TOOL_UNAVAILABLE"

    def __init__(
        self, message: str, /, *, retry_after_seconds: float | None = None, **details: Any
    ) -> None:
        """Keep the message, and how long the next attempt has to wait in the details."""
        if retry_after_seconds is not None:
            details["retry_after_seconds"] = retry_after_seconds
        super().__init__(message, **details)


class CircuitOpen(ToolError):
    """What the tool calls fails too often and is left alone for a while; nothing was called."""

    code = "CIRCUIT_OPEN"


class EffectAborted(ToolError):
    """A person ended an effect while nobody knew whether it had happened; it is not made again."""

    code = "EFFECT_ABORTED"


class BadResult(ToolError):
    """What a tool returned does not fit its output model."""

    code = "BAD_RESULT"


class ResultTooLarge(ToolError):
    """What a tool returned is over the payload limit."""

    code = "RESULT_TOO_LARGE"


class HumanNeeded(InterlockError):
    """A person has decided, or has to."""

    code = "HUMAN_NEEDED"


class ApprovalRejected(HumanNeeded):
    """A reviewer said no."""

    code = "APPROVAL_REJECTED"


class ApprovalExpired(HumanNeeded):
    """Nobody decided in time, or the decision was too old when the call was made."""

    code = "APPROVAL_EXPIRED"


class ActionDenied(HumanNeeded):
    """The policy does not allow this action, and no reviewer can."""

    code = "ACTION_DENIED"


class DecisionRefused(HumanNeeded):
    """A decision that does not count: unknown, used, late, mismatched or malformed."""

    code = "DECISION_REFUSED"


class OutcomeUnknown(HumanNeeded):
    """Nobody can tell whether an effect happened; a person has to look."""

    code = "OUTCOME_UNKNOWN"


class CallerError(InterlockError):
    """What the caller asked for cannot be done as asked."""

    code = "CALLER_ERROR"


class BadInput(CallerError):
    """An input of the wrong shape."""

    code = "BAD_INPUT"


class UnknownAgent(CallerError):
    """No agent of that name is registered."""

    code = "UNKNOWN_AGENT"


class RunNotFound(CallerError):
    """No run of that workflow id exists."""

    code = "RUN_NOT_FOUND"


class RunFinished(CallerError):
    """The run has ended and takes no more messages or decisions."""

    code = "RUN_FINISHED"


class RunCancelled(CallerError):
    """The run was cancelled."""

    code = "RUN_CANCELLED"


class NotAConversation(CallerError):
    """A message was sent to a run that was not started as a conversation."""

    code = "NOT_A_CONVERSATION"


class NotSignedIn(CallerError):
    """Nobody is signed in, or what was shown for it does not hold."""

    code = "NOT_SIGNED_IN"


class NotAllowed(CallerError):
    """Whoever is signed in has no role for this."""

    code = "NOT_ALLOWED"


class RequestNotFound(CallerError):
    """No open request has that key."""

    code = "REQUEST_NOT_FOUND"


class TooManyRequests(CallerError):
    """Somebody asks more often than the inbox answers."""

    code = "TOO_MANY_REQUESTS"
    retryable = True


class LimitReached(CallerError):
    """A cap that keeps a run small was reached."""

    code = "LIMIT_REACHED"


class DeveloperError(InterlockError):
    """The agent, a tool or the configuration has to change."""

    code = "DEVELOPER_ERROR"


class ConfigError(DeveloperError):
    """A setting, a registration or a name in ``interlock.toml`` is wrong."""

    code = "CONFIG_INVALID"


class UnsupportedInWorkflow(DeveloperError):
    """A LangGraph or LangChain feature that cannot run deterministically in a workflow."""

    code = "UNSUPPORTED_IN_WORKFLOW"


class GraphFailed(DeveloperError):
    """A node, edge or reducer of the graph raised."""

    code = "GRAPH_FAILED"


class NoPort(DeveloperError):
    """A door was used outside a workflow without an open application."""

    code = "NO_PORT"


class ScriptMismatch(DeveloperError):
    """The conversation left the script of the scripted model."""

    code = "SCRIPT_MISMATCH"


class NotSerializable(DeveloperError):
    """A value that cannot cross a boundary unchanged."""

    code = "NOT_SERIALIZABLE"


class ReplayDiverged(DeveloperError):
    """Today's code takes another path than the recorded run."""

    code = "REPLAY_DIVERGED"


class OperatorError(InterlockError):
    """Something the deployment needs is missing, broken or busy."""

    code = "OPERATOR_ERROR"


class ModelUnavailable(OperatorError):
    """Every candidate of a model role failed."""

    code = "MODEL_UNAVAILABLE"
    retryable = True


class ModelMissing(OperatorError):
    """A model, its key, its provider library or its file is not there."""

    code = "MODEL_MISSING"


class ModelFileCorrupt(OperatorError):
    """A model file does not have the SHA-256 of the catalogue."""

    code = "MODEL_FILE_CORRUPT"


class TemporalUnreachable(OperatorError):
    """No Temporal server answers at the configured address."""

    code = "TEMPORAL_UNREACHABLE"
    retryable = True


class NoWorker(OperatorError):
    """No worker answers for a run: none polls its task queue, or the one that does is stuck."""

    code = "NO_WORKER"
    retryable = True


class StoreLocked(OperatorError):
    """Another process owns an embedded Chroma folder."""

    code = "STORE_LOCKED"


class StoreUnwritable(OperatorError):
    """A folder cannot be written."""

    code = "STORE_UNWRITABLE"


class StoreUnreachable(OperatorError):
    """No Chroma server answers at the configured address."""

    code = "STORE_UNREACHABLE"
    retryable = True


class DatabaseBusy(OperatorError):
    """The database did not give a lock in time."""

    code = "DATABASE_BUSY"
    retryable = True


class DatabaseUnreachable(OperatorError):
    """No database server answers at the configured address."""

    code = "DATABASE_UNREACHABLE"
    retryable = True


class PayloadMissing(OperatorError):
    """A referenced payload is not in the store."""

    code = "PAYLOAD_MISSING"


class ActivityFailed(OperatorError):
    """An activity timed out, was lost with its worker, or raised what nobody expects."""

    code = "ACTIVITY_FAILED"
    retryable = True


class NotTold(OperatorError):
    """A channel did not take a message about a request. The request waits all the same."""

    code = "NOT_TOLD"
    retryable = True


class Throttled(OperatorError):
    """A call may not start yet: its rate, or enough others that run, say so. It is tried again."""

    code = "THROTTLED"
    retryable = True


class LedgerConflict(OperatorError):
    """A ledger row is held by another attempt, or a decision by another effect."""

    code = "LEDGER_CONFLICT"
    retryable = True


def from_code(code: str, message: str, details: dict[str, Any]) -> InterlockError | None:
    """Return the error whose code is ``code``, or None when no class of the tree has it."""
    kind = _BY_CODE.get(code)
    return kind(message, **details) if kind else None


def _tree(root: type[InterlockError]) -> dict[str, type[InterlockError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


_BY_CODE = _tree(InterlockError)
