"""Whoever is on call at the command line: effects are listed, looked at and resolved."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from temporalio.client import Client, WorkflowFailureError
from typer.testing import CliRunner
from typing_extensions import TypedDict

from interlock.agents import Agent, agent
from interlock.audit import AuditEvent, LedgerState
from interlock.cli.program import app
from interlock.context import CallContext
from interlock.testing import WorkerEnv, worker_env
from interlock.tools import Effect, tool
from tests.payments import PaymentService, running
from tests.resets import reset


@pytest.fixture
async def bank(deployment: Any, tmp_path: Path) -> AsyncIterator[PaymentService]:
    """The bank that the deployment's cashier pays through, with storage of its own.

    It keeps every payment, and never answers.
    """
    holds = tmp_path / "holds"
    holds.mkdir()
    (holds / "after-commit").touch()
    async with running(tmp_path / "bank.db", holds) as service:
        (deployment.folder / "bank.url").write_text(service.url)
        yield service


@pytest.fixture
def paying(answer: Any) -> str:
    """A run that pays out."""
    run_id = f"cashier-{uuid.uuid4().hex[:8]}"
    case = json.dumps({"order_id": "A-7", "amount": "12.50"})
    answer("run", "cashier", "--input", case, "--no-follow", "--id", run_id)
    return run_id


async def test_an_effect_that_timed_out_after_it_happened_is_made_once(
    bank: PaymentService,
    paying: str,
    asked: Any,
    answer: Any,
    refusal: Any,
    interlock: Any,
    steps_of: Any,
) -> None:
    """It is UNKNOWN and a person is asked; `happened` ends the run, and the bank has paid once."""
    question = asked(paying)
    assert (question.kind, question.tool) == ("outcome", "pay_out")
    (made,) = await bank.refunds()

    listed = answer("effects", "--unknown")
    (known,) = [item for item in listed["effects"] if item["effect"]["workflow_id"] == paying]
    effect = known["effect"]
    assert (effect["state"], effect["effect_key"]) == ("UNKNOWN", made["reference"])
    assert "no answer within" in effect["error"]
    assert known["standing"]["request"]["id"] == question.id
    assert answer("effects", paying)["effects"] == [known]
    text = interlock("effects", paying).stdout
    assert effect["effect_key"][:12] in text
    assert "a person: `interlock effects resolve`" in text

    key = effect["effect_key"][:12]
    assert refusal("effects", "resolve", key, "happened", "--result", "{") == (1, "BAD_INPUT")
    result = json.dumps({"receipt": made["id"]})
    words = ("happened", "--result", result, "--comment", "seen at the bank", "--reviewer", "ola")
    done = answer("effects", "resolve", key, *words)
    assert done == {
        "accepted": True,
        "workflow_id": paying,
        "request_id": question.id,
        "verb": "happened",
        "verified": False,
    }
    assert steps_of(paying)[-1]["result"]["output"]["receipt"] == made["id"]
    assert await bank.refunds() == [made], "it was paid twice"

    story = answer("effects", "show", effect["effect_key"])
    assert (story["effect"]["state"], story["standing"]) == ("DONE", None)
    assert story["effect"]["result"] == {"receipt": made["id"]}
    events = [(event["kind"], event["outcome"]) for event in story["events"]]
    assert {("tool_call", "unknown"), ("decision", "happened"), ("tool_call", "done")} <= {*events}
    told = next(event for event in story["events"] if event["outcome"] == "happened")
    assert (told["details"]["reviewer"], told["details"]["comment"]) == ("ola", "seen at the bank")
    assert "seen at the bank" in interlock("effects", "show", key).stdout
    assert refusal("effects", "resolve", key, "abort") == (1, "BAD_INPUT")


async def test_did_not_happen_calls_it_again(
    bank: PaymentService, paying: str, asked: Any, answer: Any, steps_of: Any, tmp_path: Path
) -> None:
    """The word is taken for what it is: the tool is called with the same key, and may answer now."""
    asked(paying)
    (tmp_path / "holds" / "after-commit").unlink()
    (item,) = answer("effects", paying, "--state", "unknown")["effects"]
    answer("effects", "resolve", item["effect"]["effect_key"], "did_not_happen")
    receipt = steps_of(paying)[-1]["result"]["output"]["receipt"]
    assert [item["id"] for item in await bank.refunds()][-1] == receipt
    (item,) = answer("effects", paying)["effects"]
    assert (item["effect"]["state"], item["effect"]["token"]) == ("DONE", 2 + 1)


def test_the_list_is_paged_and_filtered(answer: Any, refusal: Any, deployment: Any) -> None:
    """Pages do not overlap, a state selects, and what cannot be is refused."""
    first, second = (answer("effects", "list", "--limit", "1", "--page", n) for n in ("1", "2"))
    assert first["more"] is True
    assert first["effects"] != second["effects"]
    for item in answer("effects", "--state", "done")["effects"]:
        assert (item["effect"]["state"], item["standing"]) == ("DONE", None)
    assert answer("effects", "no-such-run")["effects"] == []
    assert refusal("effects", "--unknown", "--state", "done") == (1, "BAD_INPUT")
    assert refusal("effects", "show", "zzz") == (1, "BAD_INPUT")
    assert refusal("effects", "resolve", "", "abort") == (1, "BAD_INPUT")


@tool(effect=Effect.EXTERNAL, timeout_seconds=0.2)
async def wire(account: str) -> str:
    """Wire money; the answer is lost."""
    raise ConnectionError("the bank hung up")


class Wish(TypedDict):
    account: str
    answer: str


async def wire_it(state: Wish) -> dict[str, Any]:
    """Wire once."""
    return {"answer": await wire.ainvoke({"account": state["account"]})}


def treasurer() -> Agent:
    """An agent that wires, and fails when nobody says what became of it."""
    graph: StateGraph[Wish, None, Wish, Wish] = StateGraph(Wish)
    graph.add_node("wire_it", wire_it)
    graph.add_edge(START, "wire_it")
    return agent("treasurer", graph, tools=[wire])


@pytest.fixture
async def short(
    server: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WorkerEnv]:
    """A deployment in which a question expires after a second and a half."""
    approvals = {"deadline_seconds": 1.5}
    async with worker_env(server, tmp_path, agents=[treasurer()], approvals=approvals) as env:
        temporal = env.app.settings.temporal
        (tmp_path / "interlock.toml").write_text(
            f'[temporal]\naddress = "{temporal.address}"\nqueue_prefix = "{temporal.queue_prefix}"\n'
        )
        monkeypatch.chdir(tmp_path)
        yield env


async def command(*words: str) -> tuple[int, Any]:
    """Run one command beside the worker of this process."""
    done = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--json"])
    return done.exit_code, json.loads(done.stdout)


async def test_when_nobody_waits_any_more_it_says_what_to_do(short: WorkerEnv) -> None:
    """A run that failed when its question expired is reset to where it asked, and asks again."""
    handle = await short.start("treasurer", {"account": "a"})
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    (row,) = await short.app.ledger.rows(workflow_id=handle.id)
    assert row.state is LedgerState.UNKNOWN
    _, listed = await command("effects", "--unknown")
    assert listed["effects"][0]["standing"] == {"run": "failed", "request": None}

    code, said = await command("effects", "resolve", row.effect_key[:10], "abort")
    error = said["error"]
    assert (code, error["code"]) == (1, "RUN_FINISHED")
    assert f"temporal workflow reset --workflow-id {handle.id} --event-id" in error["message"]
    assert await short.app.ledger.find(row.effect_key) == row

    newest = short.client.get_workflow_handle(handle.id)
    again = await reset(short.client, newest, error["details"]["event_id"], reapply=False)
    await short.pending(again)
    code, said = await command(
        "effects", "resolve", row.effect_key[:10], "happened", "--result", '"w-1"'
    )
    assert (code, said["accepted"]) == (0, True)
    assert (await short.result(again)).output["answer"] == "w-1"


async def test_incidents_are_below_the_list(short: WorkerEnv) -> None:
    """The newest are shown with what they say, of one run when one is named."""
    made = [incident(number) for number in range(22)]
    await short.app.audit.record(made)
    _, listed = await command("effects")
    assert [item["id"] for item in listed["incidents"]] == [f"i{n}" for n in range(2, 22)]
    _, of_one = await command("effects", "run-3")
    assert [item["id"] for item in of_one["incidents"]] == ["i3"]
    text = (await asyncio.to_thread(CliRunner().invoke, app, ["effects"])).stdout
    assert "No such effects." in text
    assert "late attempt 21" in text


def incident(number: int) -> AuditEvent:
    """Return an incident of a run of its own."""
    at = f"2026-03-02T10:00:{number:02d}Z"
    return AuditEvent.model_validate(
        {
            "id": f"i{number}",
            "kind": "incident",
            "name": "wire",
            "outcome": "recorded",
            "workflow_id": f"run-{number}",
            "context": CallContext(agent="treasurer"),
            "started_at": at,
            "ended_at": at,
            "details": {"what": f"late attempt {number}", "token": 1},
        }
    )
