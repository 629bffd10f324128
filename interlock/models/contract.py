"""What crosses the model door: data and ports, safe in a workflow.

A call carries a reference to the transcript so far and only the new messages (architecture,
section 7). Messages are JSON objects in the form of `interlock.models.messages`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextvars import ContextVar
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from interlock.context import CallContext


class Candidate(BaseModel):
    """One model that may answer a role."""

    model_config = ConfigDict(frozen=True)

    model: str
    """'provider:model', for example 'openai:gpt-5-mini' or 'local:smollm2-135m'."""
    base_url: str | None = None
    """An OpenAI-compatible server, or another address of the provider's own service."""
    api_key_env: str | None = None
    """Name of the key; None for the provider's own, such as OPENAI_API_KEY, or for no key when
    `base_url` is set: a provider's key is never sent to another server."""
    timeout_seconds: float = 60.0
    tool_calling: Literal["native", "schema"] = "native"
    """'schema' for small models that do not call tools by themselves; local models always do so."""
    options: dict[str, Any] = Field(default_factory=dict)
    """More arguments of the chat model, such as `temperature`."""


class Binding(BaseModel):
    """What a model is called with beside the messages: tools, schema and options."""

    model_config = ConfigDict(frozen=True)

    tools: tuple[dict[str, Any], ...] = ()
    """Tools in the OpenAI function form: {"type": "function", "function": {...}}."""
    tool_choice: Any = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    """JSON schema that the answer's text must fit; None for free text."""
    stop: tuple[str, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)
    """Other keyword arguments of the call, such as `temperature` or `max_tokens`."""


class ModelCall(BaseModel):
    """One model call, as its activity takes it."""

    model_config = ConfigDict(frozen=True)

    call_id: str
    """Unique within the lineage; the audit event's id comes from it."""
    role: str
    """`fast`, `strong`, `judge` or another role of the model map."""
    prefix: str = ""
    """Reference to the transcript that comes first; empty for none."""
    messages: tuple[dict[str, Any], ...]
    """Only the messages after the prefix."""
    binding_ref: str = ""
    """Reference to a binding that an earlier call of the run stored; empty when `binding` is set."""
    binding: Binding | None = None
    """Sent in full once; the answer's `binding_ref` stands for it from then on."""
    context: CallContext


class Usage(BaseModel):
    """Tokens and price of one model call."""

    model_config = ConfigDict(frozen=True)

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    """None when no price is known for the model; 0.0 for a local model."""


class ModelAnswer(BaseModel):
    """What a model call answers."""

    model_config = ConfigDict(frozen=True)

    message: dict[str, Any]
    """The AI message, with its id and usage metadata, as JSON."""
    ref: str
    """Reference to the transcript that ends with this answer."""
    prompt_ref: str = ""
    """Reference to the transcript before it. Set when the answer calls tools: a run that changes
    the answer, or asks again, goes on from there."""
    binding_ref: str = ""
    model: str
    """The candidate that answered, as 'provider:model'."""
    usage: Usage = Usage()
    fell_back: tuple[str, ...] = ()
    """Why each earlier candidate did not answer, as 'provider:model: error'."""
    seconds: float = 0.0


class TranscriptNode(BaseModel):
    """One stored link of a transcript chain. Content-addressed: its reference is its SHA-256."""

    model_config = ConfigDict(frozen=True)

    previous: str = ""
    depth: int = 0
    """Links before this one; a chain is flattened every 64."""
    messages: tuple[dict[str, Any], ...]


class PayloadStore(Protocol):
    """A content-addressed store of bytes. Putting the same bytes twice is one object."""

    def put(self, data: bytes) -> Awaitable[str]:
        """Store `data` and return its reference (SHA-256, hex)."""
        ...

    def get(self, ref: str) -> Awaitable[bytes]:
        """Return the bytes of `ref`.

        Raises:
            PayloadMissing: no such object.
        """
        ...


class ModelPort(Protocol):
    """What stands behind the chat model of an agent: the workflow's door, or the gateway itself."""

    def call_model(
        self, role: str, messages: list[dict[str, Any]], binding: Binding
    ) -> Awaitable[ModelAnswer]:
        """Call the model of `role` with the whole list of messages (JSON form).

        Raises:
            ModelUnavailable: every candidate failed.
            ModelMissing: the role, its key, its library or its file is not there.
        """
        ...


MODEL_PORT: ContextVar[ModelPort] = ContextVar("interlock_model_port")
"""The port of the current run or of the open application."""
