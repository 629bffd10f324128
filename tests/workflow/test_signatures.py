"""Signed decisions in real runs: only what the right person signed for this action, once, has an effect."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowUpdateFailedError

from interlock.approvals import ApprovalRequest, DecisionAnswer
from interlock.approvals.signatures import DecisionSigner
from interlock.audit import EventFilter, LedgerState
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from tests.graphs import PAID, shopper
from tests.resets import numbers_of, reset
from tests.workflow.people import (
    ANN,
    BEN,
    KEY,
    SIGNED,
    STRANGE_KEY,
    decide,
    paying,
    person,
    send,
    signed,
)

NAMES = (
    "well signed",
    "wrong words",
    "click click",
    "elsewhere",
    "half proven",
    "by signal",
    "once more",
    "too late",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment that takes signed decisions only."""
    async with worker_env(
        server,
        tmp_path_factory.mktemp("signed"),
        agents=[shopper()],
        script={"conversations": {name: paying(name, 7) for name in NAMES}},
        approvals=SIGNED,
    ) as running:
        yield running


async def asked(env: WorkerEnv, name: str, **request: Any) -> tuple[Handle, ApprovalRequest]:
    """A run that waits for a decision on paying 7 into the account `name`."""
    handle = await env.start("shopper", name, **request)
    (action,) = await env.pending(handle)
    return handle, action


async def told(env: WorkerEnv, handle: Handle, outcome: str) -> list[dict[str, Any]]:
    """Details of a run's audit events of decisions with one outcome."""
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="decision"))
    return [event.details for event in events if event.outcome == outcome]


async def test_a_signed_approval_pays_once(env: WorkerEnv) -> None:
    """The audit knows who it was; the history has neither key, and replays."""
    handle, action = await asked(env, "well signed")
    assert (action.tier.who, action.tier.quorum) == (("reviewer",), 1)
    assert (await decide(handle, action, ANN)).accepted
    assert (await env.result(handle)).reply == "Done."
    assert PAID["well signed"] == [7]
    (approved,) = await told(env, handle, "approve")
    assert (approved["reviewer"], approved["verified"]) == ("ann", True)
    history = str(await handle.fetch_history())
    assert KEY.text.get_secret_value() not in history
    assert KEY.id in history
    await env.replay(handle)


async def test_what_the_wrong_one_signed_changes_nothing(env: WorkerEnv) -> None:
    """Each is refused with a code of its own and recorded; the right word counts all the same."""
    handle, action = await asked(env, "wrong words", requester="carl", tenant="acme", subject="s-1")
    foreign, elsewhere = await asked(env, "elsewhere")
    ann, carl = (person(name, tenant="acme") for name in ("ann", "carl"))
    good = signed(action, ann)
    unsigned = {"request_id": action.id, "digest": action.digest, "verb": "approve"}
    strange = DecisionSigner(STRANGE_KEY).sign(action, ann, "approve")
    later = DecisionSigner(KEY, clock=lambda: datetime(2090, 1, 1, tzinfo=UTC))
    attempts = [
        (unsigned, "UNSIGNED"),
        ({**good, "by": {**good["by"], "subject": "dora"}}, "FORGED"),
        ({**good, "comment": "as you like"}, "FORGED"),
        ({**good, "signature": base64.b64encode(bytes(64)).decode()}, "FORGED"),
        ({**good, "key_id": STRANGE_KEY.id}, "UNKNOWN_KEY"),
        (strange.model_dump(mode="json"), "UNKNOWN_KEY"),
        (later.sign(action, ann, "approve").model_dump(mode="json"), "SIGNED_LATER"),
        ({**good, "verb": "reject"}, "FORGED"),
        ({**good, "digest": "0" * 64}, "DIGEST_MISMATCH"),
        (signed(elsewhere, ann), "UNKNOWN_REQUEST"),
        (signed(action.model_copy(update={"lineage": foreign.id}), ann), "OTHER_RUN"),
        (signed(action, ANN), "OTHER_TENANT"),
        (signed(action, carl), "OWN_REQUEST"),
        (signed(action, person("s-1", tenant="acme")), "OWN_REQUEST"),
        (signed(action, person("eve", "operator", "admin", tenant="acme")), "NOT_A_REVIEWER"),
    ]
    for decision, code in attempts:
        answer = await send(handle, decision)
        assert (answer.accepted, answer.code) == (False, code), answer
        assert answer.message
    assert PAID["wrong words"] == []
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="refusal"))
    assert [event.name for event in events] == [code for _, code in attempts]
    assert (await send(handle, good)).accepted
    await env.result(handle)
    assert PAID["wrong words"] == [7]
    await env.replay(handle)
    await foreign.signal("cancel_run")
    await env.result(foreign)


async def test_a_decision_that_is_half_signed_is_malformed(env: WorkerEnv) -> None:
    """A signature without a person, or a person without one, is turned away at the door."""
    handle, action = await asked(env, "half proven")
    whole = signed(action, ANN)
    for missing in ("by", "lineage", "issued_at", "key_id", "nonce", "signature"):
        with pytest.raises(WorkflowUpdateFailedError):
            await send(handle, {key: value for key, value in whole.items() if key != missing})
    await handle.signal("cancel_run")
    late = await asyncio.gather(*(send(handle, whole) for _ in range(3)), return_exceptions=True)
    await env.result(handle)
    assert not any(getattr(answer, "accepted", False) for answer in late)
    assert PAID["half proven"] == []


async def test_fifty_clicks_at_once_are_one_decision(env: WorkerEnv) -> None:
    """One counts and is verified, the others are told; the effect is made once."""
    handle, action = await asked(env, "click click", conversation=True)
    click = signed(action, ANN)
    answers = await asyncio.gather(*(send(handle, click) for _ in range(50)))
    assert sum(answer.accepted for answer in answers) == 1
    assert {answer.code for answer in answers} == {"", "ALREADY_DECIDED"}
    await env.idle(handle)
    assert PAID["click click"] == [7]
    await handle.signal("cancel_run")
    await env.result(handle)
    history = await handle.fetch_history()
    assert str(history).count("signature of a decision") == 1
    await env.replay(handle)


async def test_a_signal_is_verified_too(env: WorkerEnv) -> None:
    """A forged one changes nothing, and the right one after it counts."""
    handle, action = await asked(env, "by signal")
    good = signed(action, BEN)
    await handle.signal("decide", {**good, "comment": "forged"})
    await handle.signal("decide", good)
    await env.result(handle)
    assert PAID["by signal"] == [7]
    events = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="refusal"))
    assert [event.name for event in events] == ["FORGED"]
    await env.replay(handle)


async def test_a_reset_that_applies_an_old_approval_again_pays_once(env: WorkerEnv) -> None:
    """It is the same person's word on the same action of the same run, whose effect is made already."""
    handle, action = await asked(env, "once more")
    await handle.signal("decide", signed(action, ANN))
    await env.result(handle)
    assert PAID["once more"] == [7]
    run = env.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)
    first, *_ = await numbers_of(run, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
    again = await reset(env.client, run, first, reapply=True)
    # It may come before the run has asked again. Then it is refused, and a person says it anew.
    with suppress(AssertionError):
        (action,) = await env.pending(again)
        await again.signal("decide", signed(action, ANN))
    assert (await again.result())["reply"] == "Done."
    assert await numbers_of(again, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    assert PAID["once more"] == [7]


async def test_a_decision_while_the_run_is_cancelled_pays_nothing_or_once(env: WorkerEnv) -> None:
    """Whichever comes first counts; what was accepted before the run was stopped is not made after."""
    handle, action = await asked(env, "too late")
    cancelled, answer = await asyncio.gather(
        handle.signal("cancel_run", "enough"),
        send(handle, signed(action, ANN)),
        return_exceptions=True,
    )
    assert cancelled is None
    result = await env.result(handle)
    assert result.status == "cancelled"
    accepted = isinstance(answer, DecisionAnswer) and answer.accepted
    assert len(PAID["too late"]) <= int(accepted)
    rows = await env.app.ledger.rows(workflow_id=handle.id)
    assert [row.state for row in rows] in ([], [LedgerState.DONE], [LedgerState.FAILED])
