"""Who decides, who is told, and how people sign in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from interlock.settings.sections import Section


class KeySettings(Section):
    """A public key that decisions are verified with, and when it may sign. `interlock keys new` prints one."""

    public: str = Field(description="The key: 32 bytes in Base64.")
    not_before: AwareDatetime | None = Field(
        None, description="What it signed before does not count."
    )
    not_after: AwareDatetime | None = Field(
        None, description="From then on it signs nothing; what it signed before still counts."
    )


class ApprovalSettings(Section):
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


class _ChannelSettings(Section):
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
"""One way in which people are told."""


class PersonSettings(Section):
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


class InboxSettings(Section):
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


class OidcSettings(Section):
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
