"""Decisions in a real run: bound to the action, used once, answered, and recorded when refused."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from interlock.audit.contract import EventFilter
from interlock.testing import WorkerEnv
from interlock.workflows.search import RISK
from tests.graphs import PAID


async def waiting(env: WorkerEnv) -> tuple[Any, Any, str]:
    """A run that waits for a decision on paying 22 into an account of its own."""
    account = uuid.uuid4().hex
    handle = await env.start(
        "everything",
        {"messages": ["buy these"], "account": account, "articles": ["lamp", "rug", "vase"]},
    )
    (question,) = await env.pending(handle)
    await env.decide(handle, question, "respond", result="yes")
    (action,) = await env.pending(handle)
    return handle, action, account


async def refusals(env: WorkerEnv, handle: Any) -> list[str]:
    """Codes of the refusals that the audit store has of a run."""
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="refusal"))
    return [event.name for event in events]


async def test_rejected_is_not_done(env: WorkerEnv) -> None:
    """The node gets an error that carries the comment, and nothing is paid."""
    handle, action, account = await waiting(env)
    await env.decide(handle, action, "reject", comment="too dear")
    with pytest.raises(Exception) as failed:
        await env.result(handle)
    cause = failed.value.__cause__
    assert isinstance(cause, ApplicationError)
    assert cause.type == "APPROVAL_REJECTED"
    assert "too dear" in cause.message
    assert cause.details[0]["node"] == "settle"
    assert PAID[account] == []
    await env.replay(handle)


async def test_edited_arguments_are_validated_judged_and_used(env: WorkerEnv) -> None:
    """A wrong edit is refused with the tool's words; a right one is what happens."""
    handle, action, account = await waiting(env)
    wrong = await env.decide(handle, action, "edit", arguments={"account": account, "amount": "x"})
    assert (wrong.accepted, wrong.code) == (False, "BAD_ARGUMENTS")
    assert "amount" in wrong.message
    right = await env.decide(handle, action, "edit", arguments={"account": account, "amount": 3})
    assert right.accepted
    assert (await env.result(handle)).output["receipt"] == "paid 3"
    assert PAID[account] == [3]
    await env.replay(handle)


async def test_a_response_takes_the_tools_place(env: WorkerEnv) -> None:
    """The node gets the reviewer's words, and nothing is paid; what it could not use is refused."""
    handle, action, account = await waiting(env)
    wrong = await env.decide(handle, action, "respond", result={"paid": "by hand"})
    assert (wrong.accepted, wrong.code) == (False, "BAD_RESULT")
    assert "valid string" in wrong.message
    await env.decide(handle, action, "respond", result="paid by hand")
    assert (await env.result(handle)).output["receipt"] == "paid by hand"
    assert PAID[account] == []
    await env.replay(handle)


async def test_a_model_takes_any_response(env: WorkerEnv) -> None:
    """It reads words, whatever the tool would have returned."""
    PAID.pop("once", None)
    handle = await env.start("shopper", "pay once")
    (action,) = await env.pending(handle)
    assert (await env.decide(handle, action, "respond", result={"paid": "by hand"})).accepted
    await env.result(handle)
    assert PAID["once"] == []
    said = [message["data"]["content"] for message in await handle.query("transcript")]
    assert '{"paid": "by hand"}' in said


async def test_decisions_that_do_not_count(env: WorkerEnv) -> None:
    """Changed arguments, another run's, a used one: no effect, a clear answer, a recorded refusal."""
    handle, action, account = await waiting(env)
    other_handle, foreign, _ = await waiting(env)
    changed = await env.decide(handle, action.model_copy(update={"digest": "0" * 64}), "approve")
    assert (changed.accepted, changed.code) == (False, "DIGEST_MISMATCH")
    other = await env.decide(handle, foreign, "approve")
    assert (other.accepted, other.code) == (False, "UNKNOWN_REQUEST")
    assert "another run" in other.message
    verb = await env.decide(handle, action, "happened")
    assert verb.code == "VERB_NOT_ALLOWED"
    assert PAID[account] == []
    assert (await env.decide(handle, action, "approve")).accepted
    again = await env.decide(handle, action, "approve")
    assert (again.accepted, again.code) == (False, "ALREADY_DECIDED")
    await env.result(handle)
    assert PAID[account] == [22]
    codes = ["DIGEST_MISMATCH", "UNKNOWN_REQUEST", "VERB_NOT_ALLOWED", "ALREADY_DECIDED"]
    assert await refusals(env, handle) == codes
    await env.replay(handle)
    await other_handle.signal("cancel_run")
    await env.result(other_handle)


async def test_a_malformed_update_is_rejected_without_a_trace(env: WorkerEnv) -> None:
    """The validator names the field; no update enters history."""
    handle, action, _ = await waiting(env)
    with pytest.raises(WorkflowUpdateFailedError) as rejected:
        await handle.execute_update("submit_decision", {"request_id": action.id, "verb": "maybe"})
    assert isinstance(rejected.value.cause, ApplicationError)
    assert rejected.value.cause.type == "DECISION_REFUSED"
    assert "verb" in rejected.value.cause.message
    history = await handle.fetch_history()
    accepted = [
        event.workflow_execution_update_accepted_event_attributes.accepted_request.input.args
        for event in history.events
        if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]
    assert len(accepted) == 1  # the answer to the question before
    await handle.signal("cancel_run")
    await env.result(handle)


async def test_signals_decide_too(env: WorkerEnv) -> None:
    """Any client may send a plain JSON signal; a stray one is recorded and changes nothing."""
    handle, action, account = await waiting(env)
    await handle.signal("decide", "nonsense")
    await handle.signal("decide", {"request_id": "x:y", "verb": "approve", "digest": "z"})
    await handle.signal(
        "decide", {"request_id": action.id, "verb": "approve", "digest": action.digest}
    )
    await env.result(handle)
    assert PAID[account] == [22]
    assert await refusals(env, handle) == ["MALFORMED", "UNKNOWN_REQUEST"]
    await env.replay(handle)


async def test_stray_signals_do_not_shut_out_a_reviewer(env: WorkerEnv) -> None:
    """However many were refused, a right decision counts; the audit store has some and a note."""
    handle, action, account = await waiting(env)
    stray = {"request_id": "x:y", "verb": "approve", "digest": "z"}
    await asyncio.gather(*(handle.signal("decide", stray) for _ in range(60)))
    wrong = await env.decide(handle, action.model_copy(update={"digest": "0" * 64}), "approve")
    assert (wrong.accepted, wrong.code) == (False, "DIGEST_MISMATCH")
    assert len(await env.open_requests(handle)) == 1
    assert PAID[account] == []
    assert (await env.decide(handle, action, "approve")).accepted
    await env.result(handle)
    assert PAID[account] == [22]
    assert await refusals(env, handle) == ["UNKNOWN_REQUEST"] * 50 + ["TOO_MANY"]
    await env.replay(handle)


async def test_the_risk_is_searchable_for_as_long_as_somebody_has_to_decide(env: WorkerEnv) -> None:
    """Once nothing waits, a run is not found by the risk of what it asked before."""
    handle, action, _ = await waiting(env)
    assert (await handle.describe()).typed_search_attributes.get(RISK) == "high"
    await env.decide(handle, action, "approve")
    await env.result(handle)
    assert (await handle.describe()).typed_search_attributes.get(RISK) is None
    await env.replay(handle)
