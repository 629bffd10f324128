"""People who decide in tests, and the keys that sign for them."""

from __future__ import annotations

from typing import Any

from interlock.approvals.contract import ApprovalRequest, Decision, DecisionAnswer
from interlock.approvals.people import Person
from interlock.approvals.signatures import DecisionSigner, SigningKey
from interlock.testing.env import Handle

KEY, STRANGE_KEY = SigningKey.new(), SigningKey.new()

SIGNED: dict[str, Any] = {
    "require_signature": True,
    "keys": {KEY.id: {"public": KEY.public}},
}
"""Settings of approvals."""


def person(subject: str, *roles: str, tenant: str = "default") -> Person:
    """Somebody who was authenticated; a reviewer without other roles."""
    return Person(subject=subject, roles=roles or ("reviewer",), tenants=(tenant,))


ANN, BEN = person("ann"), person("ben")
LEA, LUC = person("lea", "lead"), person("luc", "lead")
OLGA = person("olga", "owner")


def signed(
    request: ApprovalRequest, who: Person, verb: str = "approve", **said: Any
) -> dict[str, Any]:
    """The signed decision of somebody, as the inbox sends it."""
    decision = DecisionSigner(KEY).sign(request, who, verb, **said)
    return decision.model_dump(mode="json")


async def send(handle: Handle, decision: Decision | dict[str, Any]) -> DecisionAnswer:
    """Send a decision by update and return the answer."""
    data = decision.model_dump(mode="json") if isinstance(decision, Decision) else decision
    return DecisionAnswer.model_validate(await handle.execute_update("submit_decision", data))


async def decide(
    handle: Handle, request: ApprovalRequest, who: Person, verb: str = "approve", **said: Any
) -> DecisionAnswer:
    """Sign a decision and send it."""
    return await send(handle, signed(request, who, verb, **said))


def paying(when: str, *amounts: int, tool: str = "pay") -> dict[str, Any]:
    """A scripted conversation that pays some amounts into the account `when`, one after the other."""
    calls = [
        {"name": tool, "args": {"account": when, "amount": amount}, "id": f"c{index}"}
        for index, amount in enumerate(amounts)
    ]
    answers: list[dict[str, Any]] = [{"answer": {"tool_calls": [call]}} for call in calls]
    return {"when": when, "steps": [*answers, {"answer": {"text": "Done."}}]}
