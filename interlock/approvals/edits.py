"""Edits: whether they need more people, and what the model is told of them. Pure."""

from __future__ import annotations

import json
from typing import Any

from interlock.approvals.contract import Decision
from interlock.approvals.desk import Ruling
from interlock.approvals.identity import is_among
from interlock.approvals.tiers import who_may
from interlock.tools.contract import Ask

_SHOWN = 200
"""Characters of a value that the model is told."""


def is_enough(before: Ask, after: Ask, ruling: Ruling) -> bool:
    """Whether the word of the one who edited is all that is asked for on the edited action.

    Args:
        before: On what terms the action was asked.
        after: On what terms the edited one is asked.
        ruling: The edit.
    """
    tier = ruling.tier
    if tier.quorum == 1 and before == after:
        return True
    if after.quorum > 1:
        return False
    if ruling.decision.by is None:
        return (after.tier, who_may("action", after)) == (tier.tier, tier.who)
    return is_among(ruling.decision.by, who_may("action", after))


def counts_for(after: Ask, edit: Decision) -> bool:
    """Whether an edit is also an approval of the edited action: its author is asked about it, too."""
    if after.quorum == 1:
        return False
    return edit.by is None or is_among(edit.by, who_may("action", after))


def told_of_edit(old: dict[str, Any], new: dict[str, Any], comment: str) -> str:
    """Return what the model is told of an edit."""
    keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    changes = "; ".join(f"{key}: {_shown(old, key)} -> {_shown(new, key)}" for key in keys)
    why = f" Why: {comment}" if comment else ""
    return f"A reviewer changed this call before it was made: {changes or 'nothing'}.{why}"


def _shown(values: dict[str, Any], key: str) -> str:
    if key not in values:
        return "(nothing)"
    text = json.dumps(values[key], ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
