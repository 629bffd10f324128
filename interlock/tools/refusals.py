"""Why a call may not be made: what was decided does not hold, or not for this call. Pure."""

from __future__ import annotations

from typing import Any

from interlock.tools.attempt import GrantCheck
from interlock.tools.contract import ToolCall, ToolOutcome, action_digest
from interlock.tools.definition import Tool
from interlock.tools.outcomes import refused


def undecided_refusal(call: ToolCall) -> ToolOutcome | None:
    """Refuse a call that nobody has judged, or that has to be decided on and was not."""
    if call.unjudged:
        return refused("NOT_JUDGED", f"{call.tool!r} was called before the policy was asked.")
    if call.must_have_grant and call.grant is None:
        return refused("NO_GRANT", f"{call.tool!r} needs a person's decision, and none came along.")
    return None


def decision_refusal(
    call: ToolCall, tool: Tool, arguments: dict[str, Any], grants: GrantCheck | None
) -> ToolOutcome | None:
    """Refuse decisions that do not hold for this action; a grant's expiry is checked before calls.

    Args:
        call: The call.
        tool: Its tool.
        arguments: Its arguments in canonical form.
        grants: Verifies decisions; None: they are taken as they come.
    """
    mismatch = _other_action(call, arguments)
    if mismatch is not None or grants is None:
        return mismatch
    found = grants.refusal(call, tool)
    return refused(*found) if found else None


def word_refusal(call: ToolCall, grants: GrantCheck | None) -> ToolOutcome | None:
    """Refuse what a person said of an UNKNOWN effect when it does not hold."""
    found = grants.word_refusal(call) if grants else None
    return refused(*found) if found else None


def _other_action(call: ToolCall, arguments: dict[str, Any]) -> ToolOutcome | None:
    grant = call.grant
    if grant is None:
        return None
    action = action_digest(
        call.tool,
        arguments,
        tenant=call.context.tenant,
        release=call.context.release,
        policy=call.policy,
    )
    if action == grant.digest:
        return None
    return refused(
        "DIGEST_MISMATCH",
        f"{grant.reviewer!r} decided on another action than this call of {call.tool!r}.",
    )
