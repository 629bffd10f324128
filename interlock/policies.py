"""The policy that a deployment's settings name, without the I/O of an application."""

from __future__ import annotations

from collections.abc import Iterable

from interlock.approvals.loading import load_policy
from interlock.approvals.policy import Policy, RiskPolicy
from interlock.settings import Settings
from interlock.tools.definition import Tool


def deployed_policy(settings: Settings, tools: Iterable[Tool]) -> Policy:
    """Return the policy that settings name, or the default one.

    Raises:
        ConfigError: it is missing, is no policy, or does not fit the tools.
    """
    given, contracts = settings.approvals, [tool.contract for tool in tools]
    default = RiskPolicy(low=given.low, medium=given.medium, high=given.high)
    return load_policy(given.policy, settings.project_dir, contracts, default=default)
