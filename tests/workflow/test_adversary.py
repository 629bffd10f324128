"""The adversarial matrix: whatever is tried, unapproved effects are 0 and effects per approval are 1.

Each test is a cell. Effects are counted where they are made, outside of the run; `paid` compares
them with the ledger and with the approvals in the audit. docs/approvals.md has the table.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from interlock.approvals import ApprovalRequest, DecisionAnswer
from interlock.approvals.signatures import DecisionSigner
from interlock.audit import LedgerState
from interlock.payloads import first
from interlock.replay import runs
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID
from tests.resets import numbers_of, reset
from tests.workflow.adversary import MEDDLE, MEDDLED, QUOTES, RULES, agents, paid, refused
from tests.workflow.people import (
    ANN,
    BEN,
    KEY,
    LEA,
    OLGA,
    SIGNED,
    STRANGE_KEY,
    decide,
    paying,
    person,
    send,
    signed,
)

SCRIPT: dict[str, int] = {
    "cell changed": 7,
    "cell replayed": 3,
    "cell expired": 2,
    "cell twins": 7,
    "cell another": 7,
    "cell other tenant": 7,
    "cell own": 3,
    "cell wrong role": 4,
    "cell forged": 7,
    "cell unsigned": 7,
    "cell clicks": 7,
    "cell at once": 7,
    "cell boundary": 7,
    "cell again": 7,
    "cell repeated": 7,
    "cell once more": 7,
}
"""What each conversation pays into the account of its name."""


def deployment(folder: Any) -> dict[str, Any]:
    """Arguments of `worker_env`."""
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    conversations = {name: paying(name, amount) for name, amount in SCRIPT.items()}
    return {"agents": agents(), "script": {"conversations": conversations}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment that takes signed decisions only; one agent's runs continue as new early."""
    folder = tmp_path_factory.mktemp("adversary")
    async with worker_env(
        server,
        folder,
        **deployment(folder),
        approvals={**SIGNED, "policy": "rules.yaml"},
    ) as running:
        terms = running.app._terms_of("reviewed").model_copy(update={"history_events": 50})
        running.app._terms["reviewed"] = terms
        yield running


async def asked(
    env: WorkerEnv, name: str, agent: str = "shopper", **request: Any
) -> tuple[Handle, ApprovalRequest]:
    """A run that waits for a decision on a payment into the account `name`."""
    handle = await env.start(agent, name, **request)
    (action,) = await env.pending(handle)
    return handle, action


async def over(env: WorkerEnv, handle: Handle, account: str) -> list[int]:
    """What was paid, once a run is over; it replays."""
    assert (await env.result(handle)).reply == "Done."
    for run_id in await runs(env.client, handle.id):
        await env.replay(env.client.get_workflow_handle(handle.id, run_id=run_id))
    return await paid(env, handle, account)


async def texts(env: WorkerEnv, handle: Handle) -> list[str]:
    """The histories of a run and of those that it continued as, as text."""
    chain = [
        env.client.get_workflow_handle(handle.id, run_id=run_id)
        for run_id in await runs(env.client, handle.id)
    ]
    return [str(await part.fetch_history()) for part in chain]


async def no_use(handle: Handle, decision: dict[str, Any]) -> str:
    """Send a decision that must not count, and return why it does not."""
    answer = await send(handle, decision)
    assert not answer.accepted, answer
    return answer.code


async def test_changed_arguments(env: WorkerEnv) -> None:
    """An approval is of the digest that was shown, and brings no arguments of its own."""
    handle, action = await asked(env, "cell changed")
    dear = {**action.arguments, "amount": 700}
    other = action.model_copy(update={"digest": "0" * 64, "arguments": dear})
    assert await no_use(handle, signed(other, ANN)) == "DIGEST_MISMATCH"
    assert await no_use(handle, signed(action, ANN, arguments=dear)) == "BAD_ARGUMENTS"
    changed = {**signed(action, ANN, "edit", arguments={**dear, "amount": 1}), "arguments": dear}
    assert await no_use(handle, changed) == "FORGED"
    assert PAID["cell changed"] == []
    assert (await decide(handle, action, ANN)).accepted
    assert await over(env, handle, "cell changed") == [7]
    assert await refused(env, handle) == ["DIGEST_MISMATCH", "BAD_ARGUMENTS", "FORGED"]


async def test_replayed_decision(env: WorkerEnv) -> None:
    """It is one vote, however often it is sent, and is none in a later run of the same name."""
    handle, action = await asked(env, "cell replayed", conversation=True)
    good = signed(action, ANN)
    assert (await send(handle, good)).missing == 1
    assert await no_use(handle, good) == "REPLAYED"
    assert await no_use(handle, signed(action, ANN)) == "ALREADY_VOTED"
    assert PAID["cell replayed"] == []
    assert (await decide(handle, action, BEN)).accepted
    await env.idle(handle)
    assert await no_use(handle, good) == "ALREADY_DECIDED"
    await handle.signal("cancel_run")
    await env.result(handle)
    assert await paid(env, handle, "cell replayed") == [3]
    later = await env.start("shopper", "cell replayed", workflow_id=handle.id)
    (again,) = await env.pending(later)
    assert (again.id, again.digest) == (action.id, action.digest)
    assert await no_use(later, good) == "OTHER_RUN"
    assert (await decide(later, again, ANN, "reject")).accepted
    await env.result(later)
    assert PAID["cell replayed"] == [3]


async def test_expired(env: WorkerEnv) -> None:
    """What was signed in time and comes too late is no decision."""
    handle, action = await asked(env, "cell expired", conversation=True)
    in_time = signed(action, ANN)
    assert action.expires_at - action.requested_at == timedelta(seconds=1)
    await env.idle(handle)
    assert await no_use(handle, in_time) == "EXPIRED"
    await handle.signal("decide", in_time)
    await handle.signal("cancel_run")
    await env.result(handle)
    assert await paid(env, handle, "cell expired") == []
    assert await refused(env, handle) == ["EXPIRED", "EXPIRED"]


async def test_other_run(env: WorkerEnv) -> None:
    """Of two runs that ask for the very same, the word on one is no word on the other."""
    handle, action = await asked(env, "cell twins")
    twin, same = await asked(env, "cell twins")
    assert (same.id, same.digest) == (action.id, action.digest)
    assert await no_use(twin, signed(action, ANN)) == "OTHER_RUN"
    other, foreign = await asked(env, "cell another")
    assert await no_use(twin, signed(foreign, ANN)) == "UNKNOWN_REQUEST"
    assert (await decide(handle, action, ANN)).accepted
    assert await over(env, handle, "cell twins") == [7]
    await other.signal("cancel_run")
    await env.result(other)
    assert PAID["cell another"] == []
    assert (await decide(twin, same, ANN, "reject")).accepted
    assert (await env.result(twin)).reply == "Done."
    assert PAID["cell twins"] == [7]
    assert await env.app.ledger.rows(workflow_id=twin.id) == []


async def test_other_tenant(env: WorkerEnv) -> None:
    """Whoever reviews for another tenant decides nothing here."""
    handle, action = await asked(env, "cell other tenant", tenant="acme")
    assert await no_use(handle, signed(action, ANN)) == "OTHER_TENANT"
    assert await no_use(handle, signed(action, ANN, "edit", arguments=action.arguments)) == (
        "OTHER_TENANT"
    )
    assert PAID["cell other tenant"] == []
    assert (await decide(handle, action, person("bea", tenant="acme"))).accepted
    assert await over(env, handle, "cell other tenant") == [7]


async def test_self_approval(env: WorkerEnv) -> None:
    """Neither who started the run nor whom it is about is one of the two that it needs."""
    handle, action = await asked(env, "cell own", requester="carl", subject="s-1")
    for own in (person("carl"), person("s-1"), person("carl", "reviewer", "admin")):
        for verb, said in (("approve", {}), ("edit", {"arguments": action.arguments})):
            assert await no_use(handle, signed(action, own, verb, **said)) == "OWN_REQUEST"
    assert (await decide(handle, action, ANN)).missing == 1
    assert await no_use(handle, signed(action, person("carl"))) == "OWN_REQUEST"
    assert await no_use(handle, signed(action, ANN)) == "ALREADY_VOTED"
    assert PAID["cell own"] == []
    assert (await decide(handle, action, BEN)).accepted
    assert await over(env, handle, "cell own") == [3]


async def test_wrong_role(env: WorkerEnv) -> None:
    """Only who is asked decides, whatever else they may do."""
    handle, action = await asked(env, "cell wrong role")
    for other in (ANN, OLGA, person("eve", "operator", "admin"), person("nobody", "caller")):
        assert await no_use(handle, signed(action, other)) == "NOT_A_REVIEWER"
    assert PAID["cell wrong role"] == []
    assert (await decide(handle, action, LEA)).accepted
    assert await over(env, handle, "cell wrong role") == [4]


async def test_forged_signature(env: WorkerEnv) -> None:
    """Nothing of a signed decision can be changed, and no other key signs."""
    handle, action = await asked(env, "cell forged")
    good = signed(action, ANN)
    strange = DecisionSigner(STRANGE_KEY).sign(action, ANN, "approve").model_dump(mode="json")
    forged = [
        {**good, "by": {**good["by"], "subject": "ben"}},
        {**good, "verb": "reject"},
        {**good, "nonce": "another"},
        {**good, "comment": "as you like"},
        {**good, "issued_at": "2026-01-01T00:00:00Z"},
        {**good, "signature": base64.b64encode(bytes(64)).decode()},
        {**strange, "key_id": KEY.id},
    ]
    assert [await no_use(handle, decision) for decision in forged] == ["FORGED"] * len(forged)
    assert await no_use(handle, strange) == "UNKNOWN_KEY"
    later = DecisionSigner(KEY, clock=lambda: datetime(2090, 1, 1, tzinfo=UTC))
    assert await no_use(handle, later.sign(action, ANN, "approve").model_dump(mode="json")) == (
        "SIGNED_LATER"
    )
    for decision in forged:
        await handle.signal("decide", decision)
    assert PAID["cell forged"] == []
    assert (await send(handle, good)).accepted
    assert await over(env, handle, "cell forged") == [7]
    assert Counter(await refused(env, handle)) == {
        "FORGED": 2 * len(forged),
        "UNKNOWN_KEY": 1,
        "SIGNED_LATER": 1,
    }


async def test_unsigned_when_required(env: WorkerEnv) -> None:
    """A raw decision, by update or by signal and under whatever name, is refused."""
    handle, action = await asked(env, "cell unsigned")
    raw = {"request_id": action.id, "digest": action.digest, "verb": "approve", "reviewer": "ann"}
    assert await no_use(handle, raw) == "UNSIGNED"
    await handle.signal("decide", raw)
    assert PAID["cell unsigned"] == []
    assert (await decide(handle, action, ANN, "reject")).accepted
    assert await over(env, handle, "cell unsigned") == []
    assert await refused(env, handle) == ["UNSIGNED", "UNSIGNED"]


async def test_fifty_double_clicks_at_once(env: WorkerEnv) -> None:
    """Each click is signed anew and sent twice, by update and by signal: one counts, one effect."""
    handle, action = await asked(env, "cell clicks", conversation=True)
    clicks = [signed(action, ANN) for _ in range(50)]
    answers: list[Any] = await asyncio.gather(
        *(send(handle, click) for click in clicks),
        *(handle.signal("decide", click) for click in clicks),
    )
    told = Counter(answer.code for answer in answers if answer is not None)
    assert told["ALREADY_DECIDED"] >= 49
    assert told.total() == 50
    await env.idle(handle)
    await handle.signal("cancel_run")
    await env.result(handle)
    assert await paid(env, handle, "cell clicks") == [7]
    assert (
        sum(history.count("signature of a decision") for history in await texts(env, handle)) == 1
    )


async def test_decision_while_cancelling(env: WorkerEnv) -> None:
    """Whichever comes first counts; what was accepted before the run was stopped is not made after."""
    handle, action = await asked(env, "cell at once")
    cancelled, answer = await asyncio.gather(
        handle.signal("cancel_run", "enough"),
        send(handle, signed(action, ANN)),
        return_exceptions=True,
    )
    assert cancelled is None
    assert (await env.result(handle)).status == "cancelled"
    accepted = isinstance(answer, DecisionAnswer) and answer.accepted
    assert len(await paid(env, handle, "cell at once")) <= int(accepted)
    rows = await env.app.ledger.rows(workflow_id=handle.id)
    assert [row.state for row in rows] in ([], [LedgerState.DONE], [LedgerState.FAILED])


async def lengthened(env: WorkerEnv, name: str, **request: Any) -> tuple[Handle, ApprovalRequest]:
    """A run that waits, and continues as new between the decision and the call."""
    handle, action = await asked(env, name, "reviewed", **request)
    await asyncio.gather(*(handle.signal("decide", "nonsense") for _ in range(50)))
    return handle, action


async def test_decision_during_continue_as_new(env: WorkerEnv) -> None:
    """It is carried, and whatever is sent meanwhile is answered by one run or the next."""
    handle, action = await lengthened(env, "cell boundary", conversation=True)
    click = signed(action, ANN)
    answers = await asyncio.gather(
        *(send(handle, click) for _ in range(20)), return_exceptions=True
    )
    # A slow server gives up what it could send to neither run: nothing was taken then.
    told = Counter(
        "given up" if isinstance(answer, RPCError) else answer.code
        for answer in answers
        if isinstance(answer, RPCError | DecisionAnswer)
    )
    assert told.total() == 20
    assert told[""] <= 1
    assert {*told} <= {"", "ALREADY_DECIDED", "given up"}
    await env.idle(handle)
    await handle.signal("cancel_run")
    await env.result(handle)
    assert await paid(env, handle, "cell boundary") == [7]
    assert len(await texts(env, handle)) > 1, "it did not continue as new"


async def test_a_decision_that_the_server_sends_again_is_answered_alike(env: WorkerEnv) -> None:
    """Accepted by a run that continues as new, it may come to the next one too, as the same update."""
    handle, action = await lengthened(env, "cell repeated", conversation=True)
    once = {"arg": signed(action, ANN), "id": "the same"}
    first_answer = await handle.execute_update("submit_decision", **once)
    await env.idle(handle)
    assert len(await runs(env.client, handle.id)) > 1, "it did not continue as new"
    assert await handle.execute_update("submit_decision", **once) == first_answer
    assert first_answer["accepted"]
    assert await no_use(handle, once["arg"]) == "ALREADY_DECIDED"
    await handle.signal("cancel_run")
    await env.result(handle)
    assert await paid(env, handle, "cell repeated") == [7]
    assert await refused(env, handle) == ["MALFORMED"] * 50 + ["TOO_MANY"]


async def test_what_is_carried_comes_from_a_run_alone(env: WorkerEnv) -> None:
    """Nobody starts a run that has its decisions already."""
    handle, action = await lengthened(env, "cell again")
    assert (await decide(handle, action, ANN)).accepted
    assert await over(env, handle, "cell again") == [7]
    _, second, *_ = await runs(env.client, handle.id)
    history = await env.client.get_workflow_handle(handle.id, run_id=second).fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes
    request = first(started.input.payloads)
    (granted,) = request["carried"]["ruled"]["c0"]["granted"].values()
    granted["grant"] |= {"by_policy": True, "votes": []}
    forged = await env.client.start_workflow(
        "AgentWorkflow", request, id=f"forged-{handle.id}", task_queue=env.task_queue
    )
    with pytest.raises(WorkflowFailureError) as failed:
        await forged.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "BAD_INPUT"
    assert "'carried'" in failed.value.cause.message
    assert PAID["cell again"] == [7]


async def test_state_edited_while_pending(env: WorkerEnv) -> None:
    """What was shown is what is paid; what the state says later is another action."""
    account = "meddled"
    handle = await env.start("meddler", {"order": {"account": account, "amount": 7}})
    (action,) = await env.pending(handle)
    MEDDLE[account].set()
    await MEDDLED[account].wait()
    (still,) = await env.open_requests(handle)
    assert (still.digest, still.arguments["amount"]) == (action.digest, 7)
    approval = signed(action, ANN)
    assert (await send(handle, approval)).accepted
    found = action
    while found.id == action.id:
        (found,) = await env.pending(handle)
    assert found.arguments == {"account": account, "amount": 700}
    assert await no_use(handle, approval) == "ALREADY_DECIDED"
    moved = found.model_copy(update={"digest": action.digest})
    assert await no_use(handle, signed(moved, ANN)) == "DIGEST_MISMATCH"
    assert (await decide(handle, found, ANN, "reject")).accepted
    with pytest.raises(WorkflowFailureError):
        await env.result(handle)
    await env.replay(handle)
    assert await paid(env, handle, account) == [7]


async def test_reset_that_applies_an_old_approval_to_the_same_action(env: WorkerEnv) -> None:
    """It is the same person's word on the same action of the same run, whose effect is made already."""
    handle, action = await asked(env, "cell once more")
    await handle.signal("decide", signed(action, ANN))
    await env.result(handle)
    assert PAID["cell once more"] == [7]
    run = env.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    first_task, *_ = await numbers_of(run, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    again = await reset(env.client, run, first_task, reapply=True)
    # It may come before the run has asked again. Then it is refused, and a person says it anew.
    with suppress(AssertionError):
        (action,) = await env.pending(again)
        await again.signal("decide", signed(action, ANN))
    assert (await again.result())["reply"] == "Done."
    assert await numbers_of(again, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    assert await paid(env, handle, "cell once more") == [7]


async def test_reset_that_applies_an_old_approval_to_another_action(env: WorkerEnv) -> None:
    """The run asks for another amount now: the old word is about nothing that it asks."""
    account = "quoted"
    handle = await env.start("quoting", {"order": {"account": account}})
    (action,) = await env.pending(handle)
    await handle.signal("decide", signed(action, ANN))
    await env.result(handle)
    assert await paid(env, handle, account) == [7]
    QUOTES[account] = 700
    run = env.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    first_task, *_ = await numbers_of(run, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    again = await reset(env.client, run, first_task, reapply=True)
    (asked_now,) = await env.pending(again)
    assert asked_now.arguments == {"account": account, "amount": 700}
    assert await no_use(again, signed(action, ANN)) == "UNKNOWN_REQUEST"
    assert (await decide(again, asked_now, ANN, "reject")).accepted
    await again.result()
    assert await refused(env, handle) == ["UNKNOWN_REQUEST"] * 2
    assert await paid(env, handle, account) == [7]
