"""What a deployment is made of: the server, models, memory, the database, limits, telemetry."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Some settings that belong together; a key that is none of them is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TemporalSettings(Section):
    """Where the Temporal server is."""

    address: str | None = Field(
        None,
        description="host:port; unset: TEMPORAL_ADDRESS, a profile, or the server that `interlock up` started here.",
    )
    namespace: str = Field("default", description="Temporal namespace of the runs.")
    queue_prefix: str = Field(
        "", description="Put before every task queue name, to run two deployments in one namespace."
    )
    history_events: int = Field(
        4000, ge=50, description="Events after which a conversation continues as new."
    )
    history_bytes: int = Field(
        4_000_000,
        ge=20_000,
        description="Bytes of history after which a conversation continues as new.",
    )
    cached_runs: int = Field(
        1000,
        ge=0,
        description="Runs that a worker keeps in memory between their tasks; others are replayed. 0: none.",
    )


class CandidateSettings(Section):
    """One model that may answer a role."""

    model: str = Field(
        description="'provider:model': openai, anthropic, mistralai, ollama, local or scripted."
    )
    base_url: str | None = Field(
        None, description="An OpenAI-compatible server, for provider openai."
    )
    api_key_env: str | None = Field(
        None,
        description="Environment variable that holds the key; default: the provider's own, or none with a base_url.",
    )
    timeout_seconds: float = Field(
        60.0, gt=0, description="Longest time of one attempt; then the next candidate is asked."
    )
    tool_calling: Literal["native", "schema"] = Field(
        "native", description="'schema' for small models that do not call tools by themselves."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="More arguments of the chat model, such as temperature."
    )


class RoleSettings(Section):
    """Candidates of one role, in order of preference."""

    candidates: list[CandidateSettings] = Field(
        min_length=1, description="Asked in order until one answers."
    )


class MemorySettings(Section):
    """Where long-term memory is."""

    url: str | None = Field(
        None,
        description="http://host:port of a Chroma server; unset: an embedded folder that one process owns.",
    )
    collection: str = Field("interlock", min_length=3, description="Name of the Chroma collection.")
    embedder: Literal["minilm-int8", "hashing"] = Field(
        "minilm-int8", description="'hashing' needs no model file and finds little: for tests."
    )


class AuditSettings(Section):
    """Where audit events and the ledger are."""

    url: str | None = Field(
        None,
        description="SQLAlchemy URL (sqlite+aiosqlite or postgresql+psycopg); unset: SQLite in the data folder.",
    )


class LimitSettings(Section):
    """Caps that keep a run small."""

    model_mistakes: int = Field(
        5,
        ge=1,
        description="Mistakes in a row (bad arguments, unknown tools, calls that are no JSON) after which a run fails.",
    )
    steps: int = Field(100, ge=1, description="Supersteps of one turn after which a run fails.")
    result_bytes: int = Field(200_000, ge=1000, description="Largest tool result.")
    retry_after_seconds: float = Field(
        900.0,
        gt=0,
        description="What a longer `Retry-After` of a service that a tool calls is cut to.",
    )
    signals: int = Field(
        1000, ge=10, description="Unread messages one run keeps before it refuses more."
    )


class TelemetrySettings(Section):
    """What a deployment tells of itself to machines."""

    metrics_address: str | None = Field(
        None,
        description="IP address and port at which a worker serves Prometheus metrics, Interlock's and the Temporal SDK's; unset: none.",
    )
