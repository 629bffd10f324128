"""All settings of a deployment, found, merged and checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from interlock.errors import ConfigError
from interlock.settings.people import (
    ApprovalSettings,
    ChannelSettings,
    EmailSettings,
    InboxSettings,
    KeySettings,
    OidcSettings,
    PersonSettings,
    SlackSettings,
    WebhookSettings,
)
from interlock.settings.sections import (
    AuditSettings,
    CandidateSettings,
    LimitSettings,
    MemorySettings,
    RoleSettings,
    TelemetrySettings,
    TemporalSettings,
)

FILE_NAME = "interlock.toml"
"""The file that settings are read from."""


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
