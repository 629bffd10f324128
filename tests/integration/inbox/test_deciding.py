"""Reviewers over HTTP: what they see is what they decide, and each decision counts once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from interlock.inbox.requests import key_of
from interlock.runs.contract import OpenRequest
from interlock.testing import WorkerEnv
from tests.integration.inbox.conftest import Ask, Client
from tests.integration.inbox.desk import LINE_BREAKS, PAID


def _decide(request: dict[str, Any], verb: str, **fields: Any) -> dict[str, Any]:
    return {"verb": verb, "digest": request["digest"], **fields}


async def test_a_request_is_listed_read_and_approved(env: WorkerEnv, ask: Ask, client: Client):
    """The list has the exact action and its digest; an approval lets exactly that happen, once."""
    handle, _ = await ask(order="o-approve", amount=41)
    ada = await client("ada")
    listed = (await ada.get("/api/v1/requests")).json()
    (mine,) = [item for item in listed["requests"] if item["workflow_id"] == handle.id]
    assert mine["tool"] == "refund"
    assert mine["arguments"] == {"payment": {"order": "o-approve", "amount": 41, "note": "Sorry!"}}
    assert (mine["effect"], mine["risk"], mine["may_decide"]) == ("EXTERNAL", "high", True)

    assert (mine["amount"], mine["undo"]) == ("41", "Charge the customer again.")
    for least, is_listed in ((41, True), ("41.5", False)):
        found = (await ada.get("/api/v1/requests", params={"at_least": least})).json()["requests"]
        assert (mine in found) is is_listed

    read = (await ada.get(f"/api/v1/requests/{mine['key']}")).json()
    assert read == mine

    path = f"/api/v1/requests/{mine['key']}/decision"
    done = await ada.post(path, json=_decide(mine, "approve", comment="fine"))
    assert (done.status_code, done.json()["accepted"]) == (200, True)
    assert (await env.result(handle)).output["outcome"] == "paid 41"
    assert PAID["o-approve"] == [41]

    assert (await ada.get(f"/api/v1/requests/{mine['key']}")).status_code == 404
    left = (await ada.get("/api/v1/requests")).json()["requests"]
    assert [item for item in left if item["workflow_id"] == handle.id] == []


async def test_an_edit_changes_what_happens(env: WorkerEnv, ask: Ask, client: Client):
    """The new arguments are validated, and they are what the tool is called with."""
    handle, request = await ask(order="o-edit", amount=300)
    ada, path = await client("ada"), f"/api/v1/requests/{request['key']}/decision"
    payment = {"order": "o-edit", "amount": 30, "note": ""}

    wrong = {"payment": {**payment, "amount": 501}}
    refused = await ada.post(path, json=_decide(request, "edit", arguments=wrong))
    assert (refused.status_code, refused.json()["code"]) == (422, "BAD_ARGUMENTS")
    assert refused.headers["content-type"] == "application/problem+json"
    assert "amount" in refused.json()["detail"]

    edited = await ada.post(path, json=_decide(request, "edit", arguments={"payment": payment}))
    assert edited.status_code == 200
    await env.result(handle)
    assert PAID["o-edit"] == [30]


async def test_a_decision_on_another_action_changes_nothing(
    env: WorkerEnv, ask: Ask, client: Client
):
    """A digest that is not the request's is refused, and the request still waits."""
    handle, request = await ask(order="o-digest")
    ada, path = await client("ada"), f"/api/v1/requests/{request['key']}/decision"
    refused = await ada.post(path, json={"verb": "approve", "digest": "0" * 64})
    assert (refused.status_code, refused.json()["code"]) == (409, "DIGEST_MISMATCH")
    assert len(await env.open_requests(handle)) == 1

    done = await ada.post(path, json=_decide(request, "reject", comment="not ours"))
    assert done.status_code == 200
    late = await ada.post(path, json=_decide(request, "approve"))
    assert late.status_code in (404, 409)
    assert late.json()["code"] in ("ALREADY_DECIDED", "RUN_FINISHED")
    assert PAID["o-digest"] == []


async def test_fifty_double_clicks_are_one_decision(env: WorkerEnv, ask: Ask, client: Client):
    """One of them counts; the others are told that it was decided already."""
    handle, request = await ask(order="o-clicks", amount=7)
    ada, path = await client("ada"), f"/api/v1/requests/{request['key']}/decision"
    sent = [ada.post(path, json=_decide(request, "approve")) for _ in range(50)]
    answers = await asyncio.gather(*sent)
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 49], {
        answer.text for answer in answers if answer.status_code not in (200, 409)
    }
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {
        "ALREADY_DECIDED",
        "RUN_FINISHED",
    }
    await env.result(handle)
    await env.replay(handle)
    assert PAID["o-clicks"] == [7]


async def test_a_sending_with_one_key_is_answered_alike(env: WorkerEnv, ask: Ask, client: Client):
    """A client that lost the answer sends again and gets it, while the run goes on and after."""
    handle, request = await ask(order="o-again", amount=9)
    ada, path = await client("ada"), f"/api/v1/requests/{request['key']}/decision"
    key = {"Idempotency-Key": "k-1"}
    choice = _decide(request, "approve")
    first, second = await asyncio.gather(
        ada.post(path, json=choice, headers=key), ada.post(path, json=choice, headers=key)
    )
    assert (first.status_code, second.status_code) == (200, 200)
    await env.result(handle)
    after = await ada.post(path, json=choice, headers=key)
    assert (after.status_code, after.json()) == (200, first.json())
    other = await ada.post(path, json=_decide(request, "reject"), headers=key)
    assert other.status_code == 409
    assert PAID["o-again"] == [9]


async def test_a_question_is_answered(env: WorkerEnv, ask: Ask, client: Client):
    """`respond` gives an `interrupt()` its answer."""
    handle, request = await ask("asker", text="Is it in stock?")
    assert (request["kind"], request["payload"]) == ("question", {"question": "Is it in stock?"})
    ada = await client("ada")
    path = f"/api/v1/requests/{request['key']}/decision"
    done = await ada.post(path, json=_decide(request, "respond", result="Two left."))
    assert done.status_code == 200
    assert (await env.result(handle)).output["outcome"] == "Two left."


async def test_a_batch_decides_each_by_its_own_digest(env: WorkerEnv, ask: Ask, client: Client):
    """One of three has another's digest: it is refused, and the other two count."""
    asked = [await ask(order=f"o-batch-{number}", amount=number) for number in (1, 2, 3)]
    ada = await client("ada")
    decisions = [{"key": r["key"], **_decide(r, "approve")} for _, r in asked]
    decisions[1]["digest"] = asked[0][1]["digest"]
    answered = await ada.post("/api/v1/decisions", json={"decisions": decisions})
    answers = answered.json()["answers"]
    assert [answer["accepted"] for answer in answers] == [True, False, True]
    assert answers[1]["code"] == "DIGEST_MISMATCH"
    for number in (0, 2):
        await env.result(asked[number][0])
    assert [PAID[f"o-batch-{number}"] for number in (1, 2, 3)] == [[1], [], [3]]


async def test_who_may_not_decide_is_told_so(env: WorkerEnv, ask: Ask, client: Client):
    """A caller sees runs and no requests; an operator sees requests and resolves effects only."""
    handle, request = await ask(order="o-roles")
    path = f"/api/v1/requests/{request['key']}/decision"
    for subject, code in (
        ("cal", "NOT_ALLOWED"),
        ("nobody", "NOT_ALLOWED"),
        ("olga", "NOT_A_REVIEWER"),
    ):
        answer = await (await client(subject)).post(path, json=_decide(request, "approve"))
        assert (answer.status_code, answer.json()["code"]) == (403, code), subject
    assert (await (await client("cal")).get("/api/v1/requests")).status_code == 403
    assert (await (await client("olga")).get("/api/v1/requests")).status_code == 200
    assert len(await env.open_requests(handle)) == 1


async def test_an_operator_says_what_became_of_an_effect(env: WorkerEnv, ask: Ask, client: Client):
    """A refund whose answer was lost is asked about; a person's word with its result ends the doubt."""
    handle, request = await ask(order="o-doubt", amount=40, text=LINE_BREAKS)
    path = f"/api/v1/requests/{request['key']}/decision"
    assert (await (await client("ada")).post(path, json=_decide(request, "approve"))).is_success
    (outcome,) = await env.pending(handle)
    key = key_of(OpenRequest(workflow_id=handle.id, request=outcome))
    olga = await client("olga")
    seen = (await olga.get(f"/api/v1/requests/{key}")).json()
    assert (seen["kind"], seen["may_decide"]) == ("outcome", True)
    assert seen["allowed"] == ["happened", "did_not_happen", "abort"]
    assert (await olga.get(f"/api/v1/requests/{key}/hitl")).json()["code"] == "BAD_INPUT"
    path = f"/api/v1/requests/{key}/decision"
    wrong = await olga.post(path, json=_decide(seen, "approve"))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "VERB_NOT_ALLOWED")
    said = await olga.post(path, json=_decide(seen, "happened", result="paid 40"))
    assert said.status_code == 200, said.text
    assert (await env.result(handle)).output["outcome"] == "paid 40"
    assert PAID["o-doubt"] == [40]


async def test_half_of_a_character_is_refused_and_nothing_fails(ask: Ask, client: Client):
    """JSON can hold it, no other text can: it is wrong wherever it stands."""
    _, request = await ask()
    ada, path = await client("ada"), f"/api/v1/requests/{request['key']}/decision"
    for wrong in ({"comment": "\ud800"}, {"result": {"\ud800": 1}}, {"\ud800": 1}):
        body = json.dumps(_decide(request, "reject", **wrong))
        headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
        answer = await ada.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT"), body
