"""Typed settings: environment (`INTERLOCK_*`, nested with `__`), then `interlock.toml`, then defaults.

Only the composition root and entry points read settings; everything else gets values by
constructor. The Temporal address, namespace, TLS and keys may also come from Temporal's own
environment and profile file (`temporalio.envconfig`); what is set here wins.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from interlock.errors import ConfigError

FILE_NAME = "interlock.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TemporalSettings(_Section):
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


class CandidateSettings(_Section):
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


class RoleSettings(_Section):
    """Candidates of one role, in order of preference."""

    candidates: list[CandidateSettings] = Field(
        min_length=1, description="Asked in order until one answers."
    )


class MemorySettings(_Section):
    """Where long-term memory is."""

    url: str | None = Field(
        None,
        description="http://host:port of a Chroma server; unset: an embedded folder that one process owns.",
    )
    collection: str = Field("interlock", min_length=3, description="Name of the Chroma collection.")
    embedder: Literal["minilm-int8", "hashing"] = Field(
        "minilm-int8", description="'hashing' needs no model file and finds little: for tests."
    )


class AuditSettings(_Section):
    """Where audit events and the ledger are."""

    url: str | None = Field(
        None,
        description="SQLAlchemy URL (sqlite+aiosqlite or postgresql+psycopg); unset: SQLite in the data folder.",
    )


class KeySettings(_Section):
    """A public key that decisions are verified with, and when it may sign. `interlock keys new` prints one."""

    public: str = Field(description="The key: 32 bytes in Base64.")
    not_before: AwareDatetime | None = Field(
        None, description="What it signed before does not count."
    )
    not_after: AwareDatetime | None = Field(
        None, description="From then on it signs nothing; what it signed before still counts."
    )


class ApprovalSettings(_Section):
    """What may be done without asking: a policy of your own, or what each risk leads to."""

    policy: str | None = Field(
        None,
        description="A file of rules, relative to the project, or a policy in Python as 'module:attribute'; low, medium and high do not count then.",
    )

    low: Literal["allow", "ask", "deny"] = Field(
        "allow", description="Verdict on effects of low risk."
    )
    medium: Literal["allow", "ask", "deny"] = Field(
        "ask", description="Verdict on effects of medium risk."
    )
    high: Literal["allow", "ask", "deny"] = Field(
        "ask", description="Verdict on effects of high risk."
    )
    deadline_seconds: float = Field(
        7 * 86400.0,
        gt=0,
        description="How long a request waits for a decision; then it counts as rejected.",
    )
    grant_seconds: float = Field(
        86400.0, gt=0, description="How long after a decision its effect may still be made."
    )
    require_signature: bool | None = Field(
        None,
        description="Decisions count only when they are signed; off, an unsigned one counts as `unverified`. Unset: on in production, where it cannot be off, and off in development.",
    )
    keys: dict[str, KeySettings] = Field(
        default_factory=dict,
        description="Public keys of whoever signs decisions, by id. Remove one and its decisions count no more.",
    )
    signing_key_env: str | None = Field(
        None,
        description="Environment variable with the private key; for the inbox, or a command line that decides.",
    )
    signing_key_file: Path | None = Field(
        None,
        description="File with the private key, relative to the project; for the inbox, or a command line that decides.",
    )
    decide_as: str | None = Field(
        None,
        description="For whom the command line signs where that key is and `--as` is not given: a subject of `[[people]]`.",
    )


class _ChannelSettings(_Section):
    """Somebody who is told of requests that wait."""

    name: str = Field(
        min_length=1,
        max_length=60,
        description="A name of your own, for the audit and for `doctor`.",
    )
    tenants: list[str] = Field(
        default_factory=list, description="Only requests of these tenants; empty: of all."
    )
    risks: list[Literal["low", "medium", "high"]] = Field(
        default_factory=list, description="Only requests of these risks; empty: of all."
    )
    tiers: list[str] = Field(
        default_factory=list,
        description="Only while one of these tiers of the policy is asked; empty: always.",
    )
    arguments: bool = Field(
        False,
        description="Messages show the arguments of the call too. They may be personal data, and whoever carries the message reads them.",
    )


class WebhookSettings(_ChannelSettings):
    """A POST of JSON, signed in the way of Standard Webhooks."""

    channel: Literal["webhook"] = Field(description="Which kind of channel it is.")
    url: str = Field(description="Where it is sent: https, or http on this machine.")
    secret_env: str = Field(
        description="Environment variable with the secret that signs: 24 bytes or more in Base64, with or without `whsec_` before them."
    )


class SlackSettings(_ChannelSettings):
    """An incoming webhook of Slack, or of what understands the same."""

    channel: Literal["slack"] = Field(description="Which kind of channel it is.")
    url_env: str = Field(
        description="Environment variable with the address: whoever has it can write there."
    )


class EmailSettings(_ChannelSettings):
    """An e-mail to each of some people."""

    channel: Literal["email"] = Field(description="Which kind of channel it is.")
    host: str = Field(description="The SMTP server.")
    port: int = Field(587, ge=1, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="'tls' from the first byte, as on port 465; 'none' sends no password.",
    )
    username: str = Field("", description="Who logs in; empty: nobody does.")
    password_env: str | None = Field(None, description="Environment variable with the password.")
    sender: str = Field(description="Address of the sender.")
    to: list[str] = Field(min_length=1, description="Addresses; each gets a message of its own.")

    @model_validator(mode="after")
    def _keeps_its_password(self) -> EmailSettings:
        if bool(self.username) != (self.password_env is not None):
            raise ValueError("'username' and 'password_env' go together: give both or neither")
        if self.username and self.security == "none":
            raise ValueError("a password is never sent in the clear: set 'security' to 'starttls'")
        return self


ChannelSettings = Annotated[
    WebhookSettings | SlackSettings | EmailSettings, Field(discriminator="channel")
]


class LimitSettings(_Section):
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


class PersonSettings(_Section):
    """One person or machine that may sign in."""

    subject: str = Field(
        min_length=1,
        description="Who it is: the `sub` of the identity provider, or a name of your own.",
    )
    name: str = Field("", description="What others see of it; unset: the subject.")
    roles: list[str] = Field(
        default_factory=list,
        description="caller, reviewer, operator, admin, and roles of your own.",
    )
    tenants: list[str] = Field(
        default_factory=list, description="Tenants whose requests and runs it sees; '*' for all."
    )


class InboxSettings(_Section):
    """Where `interlock inbox` serves, and for how long one stays signed in."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8321, ge=0, description="Port to listen on; 0 for any free one.")
    public_url: str | None = Field(
        None,
        description="https://... under which people reach it, behind what ends TLS; unset: http on this machine only.",
    )
    session_seconds: float = Field(
        8 * 3600.0, gt=0, description="How long one stays signed in on the pages."
    )
    link_seconds: float = Field(
        600.0, gt=0, description="How long a printed link for signing in can be used."
    )
    refresh_seconds: float = Field(
        1.0, gt=0, description="How often the queue is read anew from Temporal."
    )
    requests_per_minute: int = Field(
        600, ge=1, description="Requests of one person, or of one key."
    )
    logins_per_minute: int = Field(10, ge=1, description="Attempts to sign in from one address.")


class OidcSettings(_Section):
    """Signing in by an OpenID Connect provider, and bearer tokens of its making."""

    issuer: str | None = Field(
        None, description="The provider's issuer URL; unset: nobody signs in that way."
    )
    client_id: str = Field("", description="The inbox's id at the provider.")
    client_secret_env: str | None = Field(
        None,
        description="Environment variable with the client's secret; unset: a public client.",
    )
    audience: str = Field(
        "", description="`aud` of bearer tokens for the API; unset: the client id."
    )
    scopes: list[str] = Field(
        default_factory=lambda: ["openid", "profile"], description="Scopes to ask for."
    )
    name_claim: str = Field("name", description="Claim with the name that others see.")
    roles_claim: str = Field("roles", description="Claim with the roles, a text or a list.")
    tenants_claim: str = Field("tenants", description="Claim with the tenants, a text or a list.")
    roles: dict[str, str] = Field(
        default_factory=dict,
        description="Roles by values of the claim, for a provider with names of its own; others count for nothing then.",
    )
    tenants: dict[str, str] = Field(
        default_factory=dict, description="Tenants by values of the claim, in the same way."
    )

    @model_validator(mode="after")
    def _names_its_client(self) -> OidcSettings:
        if bool(self.issuer) != bool(self.client_id):
            raise ValueError("'issuer' and 'client_id' go together: give both or neither")
        return self


class TelemetrySettings(_Section):
    """What a deployment tells of itself to machines."""

    metrics_address: str | None = Field(
        None,
        description="IP address and port at which a worker serves Prometheus metrics, Interlock's and the Temporal SDK's; unset: none.",
    )


class Settings(BaseSettings):
    """All settings of a deployment."""

    model_config = SettingsConfigDict(
        env_prefix="INTERLOCK_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    profile: Literal["development", "production"] = Field(
        "development",
        description="In 'production' only signed decisions count, the inbox is reached by https, and links sign in nobody but `[[people]]`: docs/approvals.md.",
    )
    agents: list[str] = Field(default_factory=list, description="Agents, as 'module:attribute'.")
    tools: list[str] = Field(default_factory=list, description="Tools, as 'module:attribute'.")
    workflows: list[str] = Field(
        default_factory=list, description="Temporal workflow classes, as 'module:attribute'."
    )
    activities: list[str] = Field(
        default_factory=list,
        description="Activities of those workflows, as 'module:attribute'; loaded by the worker only.",
    )
    knowledge: list[str] = Field(
        default_factory=list,
        description="Folders of documents that `interlock ingest` reads, relative to the project.",
    )
    seeds: list[str] = Field(
        default_factory=list,
        description="Items that `interlock ingest` puts into memory, as 'module:attribute' of a list of memory puts.",
    )
    data_dir: Path = Field(
        Path(".interlock"),
        description="Folder for databases, payloads and logs, relative to the project.",
    )
    models_dir: Path | None = Field(
        None, description="Folder for model files; unset: the user's cache folder."
    )
    temporal: TemporalSettings = TemporalSettings()
    models: dict[str, RoleSettings] = Field(default_factory=dict, description="Model roles.")
    memory: MemorySettings = MemorySettings()
    audit: AuditSettings = AuditSettings()
    approvals: ApprovalSettings = ApprovalSettings()
    notify: list[ChannelSettings] = Field(
        default_factory=list,
        description="Who is told of requests that wait, as `[[notify]]`.",
    )
    limits: LimitSettings = LimitSettings()
    people: list[PersonSettings] = Field(
        default_factory=list,
        description="Who may sign in, as `[[people]]`; of a person named here the claims do not count.",
    )
    inbox: InboxSettings = InboxSettings()
    oidc: OidcSettings = OidcSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    project_dir: Path = Field(
        Path(), description="Folder of interlock.toml; set by `load_settings`."
    )

    @property
    def signatures_required(self) -> bool:
        """Whether decisions count only when they are signed."""
        required = self.approvals.require_signature
        return self.profile == "production" if required is None else required

    @model_validator(mode="after")
    def _takes_signed_decisions_in_production(self) -> Settings:
        if self.profile == "production" and not self.signatures_required:
            raise ValueError(
                "'approvals.require_signature' is false, and 'profile' is 'production', where only "
                "signed decisions count. Leave the former out, or set 'profile' to 'development'"
            )
        return self

    @model_validator(mode="after")
    def _names_everybody_once(self) -> Settings:
        subjects = [person.subject for person in self.people]
        for subject in subjects:
            if subjects.count(subject) > 1:
                raise ValueError(
                    f"'people' has {subject!r} more than once, and only one of them would count. "
                    "Put the roles and tenants of one person into one [[people]]"
                )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment wins over the file that `load_settings` read."""
        return (env_settings, init_settings)


def load_settings(start: Path | None = None) -> Settings:
    """Read the nearest `interlock.toml` at or above `start`, then the environment.

    Without a file the defaults hold, so that `interlock models` and `interlock init` work anywhere.

    Raises:
        ConfigError: unreadable TOML, an unknown key, or a value out of range.
    """
    folder = (start or Path.cwd()).resolve()
    path = next(
        (d / FILE_NAME for d in (folder, *folder.parents) if (d / FILE_NAME).is_file()), None
    )
    values: dict[str, Any] = {"project_dir": path.parent if path else folder}
    where = FILE_NAME if path else "the environment"
    try:
        if path is not None:
            values |= TomlConfigSettingsSource(Settings, toml_file=path)()
        return Settings(**values)
    except ValidationError as error:
        raise ConfigError(_explain(error, where), file=str(path) if path else None) from error
    except ValueError as error:  # tomllib.TOMLDecodeError and pydantic-settings' SettingsError
        raise ConfigError(f"{where}: {error}") from error


def environment_key(name: str) -> SecretStr | None:
    """Return a provider key from the environment, wrapped so that it is never printed."""
    value = os.environ.get(name)
    return SecretStr(value) if value else None


def _explain(error: ValidationError, where: str) -> str:
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = ", ".join(_known_keys(item["loc"][:-1]))
            lines.append(f"{place!r} is not a setting. Allowed here: {known}.")
        elif item["type"] == "value_error":  # of a whole section: what it holds may be long
            where_in = f"{place!r}: " if place else ""
            lines.append(f"{where_in}{item['msg'].removeprefix('Value error, ')}.")
        else:
            lines.append(f"{place!r}: {item['msg']} (got {item['input']!r}).")
    return f"{where}: " + " ".join(lines)


_CHANNELS: dict[int | str, Any] = {
    "webhook": WebhookSettings,
    "slack": SlackSettings,
    "email": EmailSettings,
}


def _known_keys(path: tuple[int | str, ...]) -> list[str]:
    model: Any = Settings
    for part in path:
        fields = getattr(model, "model_fields", {})
        annotation = fields[part].annotation if part in fields else None
        if part == "models":
            annotation = RoleSettings
        elif part == "candidates":
            annotation = CandidateSettings
        elif part == "keys":
            annotation = KeySettings
        elif part == "people":
            annotation = PersonSettings
        elif path[0] == "notify" and part in _CHANNELS:
            annotation = _CHANNELS[part]
        model = annotation if annotation is not None else model
    return sorted(set(getattr(model, "model_fields", {})) - {"project_dir"})
