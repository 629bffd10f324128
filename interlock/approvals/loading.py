"""Loads the policy that settings name: a file of rules, or an object in Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from interlock.approvals.policy import Policy
from interlock.approvals.rule_policy import load_rules
from interlock.errors import ConfigError
from interlock.registry import load
from interlock.tools.contract import ToolContract

_FILES = (".yaml", ".yml")
_VERSION = re.compile(r"[0-9a-f]{12}")


def load_policy(
    reference: str | None, folder: Path, contracts: Iterable[ToolContract], *, default: Policy
) -> Policy:
    """Return the policy that 'policy.yaml' or 'module:attribute' names.

    Args:
        reference: What names it.
        folder: Where a file's path begins.
        contracts: The deployment's tools, against which rules are checked.
        default: The policy when none is named.

    Raises:
        ConfigError: it is missing, is no policy, or does not fit the tools.
    """
    if reference is None:
        return default
    if reference.endswith(_FILES):
        return load_rules(folder / reference, contracts)
    if ":" not in reference:
        raise ConfigError(
            f"'approvals.policy' is {reference!r}. Write a file that ends in .yaml, or "
            "'module:attribute' of a policy in Python."
        )
    found = load(reference)
    if isinstance(found, type) or not isinstance(found, Policy):
        what = f"the class {found.__name__}" if isinstance(found, type) else type(found).__name__
        raise ConfigError(
            f"'approvals.policy' names {what}. Name an object with `version` and `judge`: see "
            "`interlock.approvals.Policy`."
        )
    if not isinstance(found.version, str) or not _VERSION.fullmatch(found.version):
        raise ConfigError(
            f"the policy {reference!r} has the version {found.version!r}. Give 12 hex digits that "
            "change with its rules: `interlock.canonical.digest(rules)[:12]`."
        )
    return found
