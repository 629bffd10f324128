"""Typed settings: environment (`INTERLOCK_*`, nested with `__`), then `interlock.toml`, then defaults.

Only the composition root and entry points read settings; everything else gets values by
constructor. The Temporal address, namespace, TLS and keys may also come from Temporal's own
environment and profile file (`temporalio.envconfig`); what is set here wins.
"""

from __future__ import annotations

from interlock.settings.loading import FILE_NAME, Settings, environment_key, load_settings
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

__all__ = [
    "FILE_NAME",
    "ApprovalSettings",
    "AuditSettings",
    "CandidateSettings",
    "ChannelSettings",
    "EmailSettings",
    "InboxSettings",
    "KeySettings",
    "LimitSettings",
    "MemorySettings",
    "OidcSettings",
    "PersonSettings",
    "RoleSettings",
    "Settings",
    "SlackSettings",
    "TelemetrySettings",
    "TemporalSettings",
    "WebhookSettings",
    "environment_key",
    "load_settings",
]
