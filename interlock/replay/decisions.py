"""Follows the requests and decisions of a run through its history.

What is open is known for certain: every gate writes it into the run's memo. A decision by update has
a recorded answer. A decision by signal has none; it counted if its request left the memo in the
workflow task that handled it. One of several approvals by signal cannot be told from a refused one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from interlock.approvals.contract import DecisionAnswer
from interlock.replay.steps import Decided, Withdrawn, decision_step


@dataclass
class _Sent:
    event_id: int
    at: datetime
    decision: Any
    handled: bool = False


@dataclass
class Decisions:
    """The open requests of one run and the signals that have no answer yet."""

    pending: list[str] = field(default_factory=list)
    _ended: dict[str, str] = field(default_factory=dict)
    _sent: list[_Sent] = field(default_factory=list)

    def signal(self, event_id: int, at: datetime, decision: Any) -> None:
        """Take a decision that was sent by signal."""
        self._sent.append(_Sent(event_id, at, decision))

    def update(
        self, event_id: int, at: datetime, decision: Any, answer: DecisionAnswer
    ) -> list[Decided]:
        """Take a decision that was sent by update, and its recorded answer."""
        data = decision if isinstance(decision, dict) else {}
        if answer.accepted and not answer.missing:
            self._ended[answer.request_id] = "decided"
        return [decision_step(event_id, at, data, answer)]

    def memo(
        self, event_id: int, at: datetime, pending: list[str]
    ) -> tuple[list[str], list[Decided | Withdrawn]]:
        """Take a new list of open requests; return those that are new, and how others ended."""
        opened = [item for item in pending if item not in self.pending]
        gone = [item for item in self.pending if item not in pending]
        self.pending = list(pending)
        steps: list[Decided | Withdrawn] = []
        for request_id in gone:
            if request_id in self._ended:
                continue
            sent = next((item for item in self._sent if fits(item.decision, request_id)), None)
            if sent is None:
                self._ended[request_id] = "withdrawn"
                steps.append(Withdrawn(event_id=event_id, at=at, request_id=request_id))
                continue
            self._ended[request_id] = "decided"
            self._sent.remove(sent)
            answer = DecisionAnswer(accepted=True, request_id=request_id)
            steps.append(decision_step(sent.event_id, sent.at, sent.decision, answer))
        return opened, steps

    def task_completed(self) -> None:
        """Note that a workflow task has handled every signal so far."""
        for sent in self._sent:
            sent.handled = True

    def refused(self) -> list[Decided]:
        """Return the handled signals that changed nothing."""
        handled = [item for item in self._sent if item.handled]
        self._sent = [item for item in self._sent if not item.handled]
        return [
            decision_step(
                item.event_id,
                item.at,
                item.decision if isinstance(item.decision, dict) else {},
                self._refusal(item.decision),
            )
            for item in handled
        ]

    def _refusal(self, decision: Any) -> DecisionAnswer:
        request_id = str(decision.get("request_id", "")) if isinstance(decision, dict) else ""
        ended = self._ended.get(request_id)
        if not request_id:
            code, message = "MALFORMED", "it was no decision."
        elif ended is not None:
            code = "ALREADY_DECIDED" if ended == "decided" else "EXPIRED"
            message = f"request {request_id!r} was {ended} before."
        elif request_id not in self.pending:
            code, message = "UNKNOWN_REQUEST", f"this run had no open request {request_id!r}."
        elif not fits(decision, request_id):
            code, message = "DIGEST_MISMATCH", "it was about another action."
        else:
            code = "DECISION_REFUSED"
            message = "it did not end the request: the audit store says why, or that more have to."
        return DecisionAnswer(accepted=False, request_id=request_id, code=code, message=message)


def fits(decision: Any, request_id: str) -> bool:
    """Whether a decision names the request and the digest that the request's id carries."""
    if not isinstance(decision, dict) or decision.get("request_id") != request_id:
        return False
    digest = str(decision.get("digest", ""))
    return len(digest) >= len("0" * 12) and digest[:12] in request_id.split(":")
