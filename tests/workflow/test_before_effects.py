"""Decisions are checked again right before the effect, whatever became of the run that took them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from interlock.approvals import ApprovalRequest, Decision, DecisionAnswer
from interlock.approvals.desk import Desk, read_decision
from interlock.approvals.signatures import DecisionSigner
from interlock.audit import EventFilter
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.workflows import mailbox
from interlock.workflows.mailbox import Mailbox
from interlock.workflows.run import Run
from tests.graphs import PAID, shopper
from tests.workflow.adversary import RULES
from tests.workflow.people import ANN, SIGNED, STRANGE_KEY, paying, person, send, signed

TWO = 3
"""The amount that two people have to approve."""


class Attempt(NamedTuple):
    """Votes that must not lead to a payment, and why they do not."""

    votes: Any
    """From the request to the decisions."""
    code: str
    amount: int = 7


def _strange(action: ApprovalRequest) -> dict[str, Any]:
    return DecisionSigner(STRANGE_KEY).sign(action, ANN, "approve").model_dump(mode="json")


def _unsigned(action: ApprovalRequest) -> dict[str, Any]:
    return {"request_id": action.id, "digest": action.digest, "verb": "approve"}


ATTEMPTS: dict[str, Attempt] = {
    "changed arguments": Attempt(
        lambda action: [signed(action.model_copy(update={"digest": "0" * 64}), ANN)],
        "DIGEST_MISMATCH",
    ),
    "other run": Attempt(
        lambda action: [signed(action.model_copy(update={"lineage": "a/b/c"}), ANN)], "OTHER_RUN"
    ),
    "other tenant": Attempt(
        lambda action: [signed(action, person("ann", tenant="acme"))], "OTHER_TENANT"
    ),
    "self-approval": Attempt(lambda action: [signed(action, person("carl"))], "OWN_REQUEST"),
    "wrong role": Attempt(
        lambda action: [signed(action, person("eve", "caller"))], "NOT_A_REVIEWER"
    ),
    "forged": Attempt(lambda action: [{**signed(action, ANN), "nonce": "another"}], "FORGED"),
    "strange key": Attempt(lambda action: [_strange(action)], "UNKNOWN_KEY"),
    "unsigned": Attempt(lambda action: [_unsigned(action)], "UNSIGNED"),
    "twice in a quorum": Attempt(
        lambda action: [signed(action, ANN), signed(action, ANN)], "NO_GRANT", TWO
    ),
}
OTHERS = ("held by rule", "stopped before", "stopped after")


def _deployment(folder: Path) -> dict[str, Any]:
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    said = {
        f"told {name}": paying(f"told {name}", found.amount) for name, found in ATTEMPTS.items()
    }
    said |= {name: paying(name, 7) for name in OTHERS}
    return {"agents": [shopper()], "script": {"conversations": said}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerEnv]:
    """A deployment that takes signed decisions only."""
    folder = tmp_path_factory.mktemp("believing")
    approvals = {**SIGNED, "policy": "rules.yaml"}
    async with worker_env(server, folder, **_deployment(folder), approvals=approvals) as running:
        yield running


@pytest.fixture
def gullible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that believe whatever they are told."""

    async def believe(_: Mailbox, run: Run, decision: Decision) -> DecisionAnswer:
        return run.desk.submit(decision, workflow.now())

    monkeypatch.setattr(Desk, "_refusal", lambda *_: None)
    monkeypatch.setattr(Mailbox, "_verify_and_submit", believe)


@pytest.mark.parametrize("name", ATTEMPTS)
async def test_a_run_that_believes_everything_pays_nothing(
    env: WorkerEnv, gullible: None, name: str
) -> None:
    """The activity finds it out by itself, and the audit has why nothing was done."""
    attempt, account = ATTEMPTS[name], f"told {name}"
    handle = await env.start("shopper", account, requester="carl")
    (action,) = await env.pending(handle)
    for vote in attempt.votes(action):
        assert (await send(handle, vote)).accepted, "the run was not fooled"
    error = await _failure(env, handle)
    assert (error.type, error.details[0]["refusal"]) == ("DECISION_REFUSED", attempt.code)
    assert PAID[account] == []
    assert await env.app.ledger.rows(workflow_id=handle.id) == []


async def _failure(env: WorkerEnv, handle: Handle) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await env.result(handle)
    assert isinstance(failed.value.cause, ApplicationError)
    return failed.value.cause


def _take_unsigned(env: WorkerEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open runs as when unsigned decisions counted."""
    terms = env.app._terms_of("shopper").model_copy(update={"require_signature": False})
    monkeypatch.setitem(env.app._terms, "shopper", terms)


async def test_the_rule_of_the_moment_holds_before_the_effect(
    env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run was opened when unsigned decisions counted, and took one; the worker takes none now."""
    _take_unsigned(env, monkeypatch)
    handle = await env.start("shopper", "held by rule")
    (action,) = await env.pending(handle)
    assert (await send(handle, _unsigned(action))).accepted
    error = await _failure(env, handle)
    assert error.details[0]["refusal"] == "UNSIGNED"
    where = EventFilter(workflow_id=handle.id, kind="decision")
    found = await env.app.audit.events(where)
    assert [event.outcome for event in found] == ["requested", "approve"]
    assert PAID["held by rule"] == []


async def _at_once(
    handle: Handle, monkeypatch: pytest.MonkeyPatch, signals: list[tuple[str, Any]]
) -> None:
    """Let signals come to a run in one workflow task: one before them keeps the run busy."""
    busy, go_on = threading.Event(), threading.Event()

    def read(data: Any) -> Decision:
        if data == "stay busy":
            busy.set()
            go_on.wait(1)
        return read_decision(data)

    monkeypatch.setattr(mailbox, "read_decision", read)
    await handle.signal("decide", "stay busy")
    assert await asyncio.to_thread(busy.wait, 10)
    for signal in signals:
        await handle.signal(*signal)
    go_on.set()


@pytest.mark.parametrize("order", ["stopped before", "stopped after"])
@pytest.mark.parametrize("terms", ["signed", "unsigned"])
async def test_a_decision_in_the_task_that_cancels_pays_nothing(
    env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, terms: str, order: str
) -> None:
    """In either order, verified or not: a run that is stopped begins nothing any more."""
    if terms == "unsigned":
        _take_unsigned(env, monkeypatch)
    handle = await env.start("shopper", order)
    (action,) = await env.pending(handle)
    decision = signed(action, ANN) if terms == "signed" else _unsigned(action)
    both: list[tuple[str, Any]] = [("cancel_run", "enough"), ("decide", decision)]
    await _at_once(handle, monkeypatch, both if order == "stopped before" else both[::-1])
    assert (await env.result(handle)).status == "cancelled"
    assert PAID[order] == []
    assert await env.app.ledger.rows(workflow_id=handle.id) == []
    await env.replay(handle)
