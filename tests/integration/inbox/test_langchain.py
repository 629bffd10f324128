"""Clients of LangChain's human-in-the-loop schema: its own types go in and come out."""

from __future__ import annotations

from typing import get_args

import pytest
from langchain.agents.middleware import human_in_the_loop as published
from pydantic import TypeAdapter

from interlock.testing import WorkerEnv
from tests.integration.inbox.conftest import Ask, Client
from tests.integration.inbox.desk import PAID

REQUEST = TypeAdapter(published.HITLRequest)
RESPONSE = TypeAdapter(published.HITLResponse)

PAYMENT = {"order": "o-hitl-edit", "amount": 12, "note": ""}

DECISIONS: dict[str, published.Decision] = {
    "approve": published.ApproveDecision(type="approve"),
    "edit": published.EditDecision(
        type="edit", edited_action=published.Action(name="refund", args={"payment": PAYMENT})
    ),
    "reject": published.RejectDecision(type="reject", message="It arrived in time."),
    "respond": published.RespondDecision(type="respond", message="It was paid by hand."),
}


def test_every_decision_of_the_schema_is_tried() -> None:
    """A new kind of decision needs its row here."""
    assert set(DECISIONS) == set(get_args(published.DecisionType))


@pytest.mark.parametrize(
    ("verb", "status", "paid", "outcome"),
    [
        ("approve", "completed", [40], "paid 40"),
        ("edit", "completed", [12], "paid 12"),
        ("reject", "failed", [], ""),
        ("respond", "completed", [], "It was paid by hand."),
    ],
)
async def test_a_request_is_read_and_decided_in_the_published_types(
    env: WorkerEnv, ask: Ask, client: Client, verb: str, status: str, paid: list[int], outcome: str
):
    """The request fits the published type, and each published decision does what it says."""
    order = f"o-hitl-{verb}"
    handle, request = await ask(order=order)
    ada, path = await client("ada"), f"/api/v1/requests/{request['key']}/hitl"
    read = await ada.get(path)
    found = REQUEST.validate_python(read.json())
    (action,), (config,) = found["action_requests"], found["review_configs"]
    assert (action["name"], action["args"]) == ("refund", request["arguments"])
    assert config["allowed_decisions"] == ["approve", "edit", "reject", "respond"]
    assert config["args_schema"]["properties"].keys() == {"payment"}

    sent = published.HITLResponse(decisions=[DECISIONS[verb]])
    body = RESPONSE.dump_python(sent, mode="json")
    unbound = await ada.post(path, json=body)
    assert unbound.status_code == 422
    stale = await ada.post(path, json=body, headers={"If-Match": '"other"'})
    assert (stale.status_code, stale.json()["code"]) == (409, "DIGEST_MISMATCH")
    done = await ada.post(path, json=body, headers={"If-Match": read.headers["ETag"]})
    assert done.status_code == 200, done.text
    if status == "completed":
        assert (await env.result(handle)).output["outcome"] == outcome
    assert PAID[order] == paid


async def test_an_edit_to_another_tool_is_refused(env: WorkerEnv, ask: Ask, client: Client):
    """An approval is never wider than its action."""
    handle, request = await ask(order="o-other-tool")
    ada, path = await client("ada"), f"/api/v1/requests/{request['key']}/hitl"
    edit = {"type": "edit", "edited_action": {"name": "write_to", "args": {}}}
    headers = {"If-Match": f'"{request["digest"]}"'}
    refused = await ada.post(path, json={"decisions": [edit]}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "BAD_ARGUMENTS")
    two = await ada.post(
        path, json={"decisions": [{"type": "approve"}, {"type": "approve"}]}, headers=headers
    )
    assert two.status_code == 422
    assert len(await env.open_requests(handle)) == 1
