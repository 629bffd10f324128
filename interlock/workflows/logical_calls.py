"""What a run knows of its logical calls: which they are, and what was ruled on each. Pure.

A logical call is a tool call id, or the place of a call in a node. However often it is made again,
it has one ordinal, one verdict and one decision; this is where they are kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from interlock.canonical import digest
from interlock.models.tool_calls import Message, ids_in, with_own_ids
from interlock.tools.contract import Verdict
from interlock.workflows.contract import Carried, Granted, Ruled

_KEPT = 32
"""Calls that are over and are carried all the same, the newest of a run: its graph may come back to
one that failed."""


class LogicalCalls:
    """The logical calls of one run. `carried` is what an earlier part of it left."""

    def __init__(self, carried: Carried | None) -> None:
        self._ordinals = {k: list(v) for k, v in carried.occurrences.items()} if carried else {}
        self._ids = dict.fromkeys(carried.tool_call_ids) if carried else {}
        self._ruled = dict(carried.ruled) if carried else {}

    def own_ids(self, message: Message) -> Message:
        """Return an answer in which no tool call has the id of an earlier one of this run.

        A provider that repeats an id would otherwise make two calls one: the later one would get
        the earlier one's result, and what was decided on it. Only here, where messages are made, is
        a repeated id told from a retry of the same call.
        """
        found = with_own_ids(message, self._ids)
        self._ids |= dict.fromkeys(ids_in(found))
        return found

    def occurrence(self, tool: str, arguments: dict[str, Any], call_id: str) -> int:
        """Return the ordinal of `call_id` among logical calls with this tool and arguments."""
        calls = self._ordinals.setdefault(digest([tool, arguments]), [])
        if call_id not in calls:
            calls.append(call_id)
        return calls.index(call_id)

    def verdict(self, call_id: str, tool: str, arguments: dict[str, Any]) -> Verdict | None:
        """Return the verdict on a call with these arguments, if it was judged before."""
        return self._of(call_id).verdicts.get(digest([tool, arguments]))

    def judged(self, call_id: str, tool: str, arguments: dict[str, Any], verdict: Verdict) -> None:
        """Record a verdict, for every retry of the call."""
        kept = verdict.model_copy(update={"arguments": {}})  # whoever asks for it has them
        verdicts = self._of(call_id).verdicts | {digest([tool, arguments]): kept}
        self._rule(call_id, verdicts=verdicts)

    def granted(self, call_id: str, action: str) -> Granted | None:
        """Return what a decision on an action of a call allowed, if there was one."""
        return self._of(call_id).granted.get(action)

    def grant(self, call_id: str, action: str, given: Granted) -> None:
        """Record what a decision allowed, for the call and every retry of it."""
        self._rule(call_id, granted=self._of(call_id).granted | {action: given})

    def is_unseen(self, call_id: str) -> bool:
        """Whether a call must not be made: it was wrong when it was to be reviewed."""
        return self._of(call_id).unseen

    def pass_unseen(self, call_id: str) -> None:
        """Record that nobody was asked about a call, because it is wrong."""
        self._rule(call_id, unseen=True)

    def end(self, call_id: str) -> None:
        """Take note that a call was made, however it ended."""
        if call_id in self._ruled:
            self._ruled[call_id] = self._ruled.pop(call_id).model_copy(update={"ended": True})

    def carry(self, now: datetime) -> dict[str, Any]:
        """Return the fields of `Carried` that hold all this.

        A decision that was not used yet is carried: its call is still to come. Not every ruling is,
        or a long conversation would carry all of them. A call that ended cannot be made again by
        its node or a middleware, whose superstep is over, but only by a graph that comes back to
        it: the newest are kept for that. A decision that expired would be refused at the call. To
        lose a ruling makes a run judge and ask again, and never act unasked.
        """
        ended = [call_id for call_id, ruled in self._ruled.items() if ruled.ended]
        left = {key: ruled for key, ruled in self._ruled.items() if key not in ended[:-_KEPT]}
        ruled = {call_id: _without_expired(ruled, now) for call_id, ruled in left.items()}
        return {
            "occurrences": self._ordinals,
            "tool_call_ids": tuple(self._ids),
            "ruled": {key: item for key, item in ruled.items() if item != Ruled(ended=item.ended)},
        }

    def _of(self, call_id: str) -> Ruled:
        return self._ruled.get(call_id, Ruled())

    def _rule(self, call_id: str, **what: Any) -> None:
        self._ruled[call_id] = self._of(call_id).model_copy(update=what)


def _without_expired(ruled: Ruled, now: datetime) -> Ruled:
    fresh = {key: item for key, item in ruled.granted.items() if item.grant.expires_at > now}
    return ruled.model_copy(update={"granted": fresh})
