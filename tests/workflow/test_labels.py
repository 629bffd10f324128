"""Text from outside in real runs: what a page or a document talks the model into is found and judged."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from interlock.approvals.rule_policy import load_rules
from interlock.audit import EventFilter
from interlock.context import CallContext
from interlock.memory import Put
from interlock.replay.reader import read_steps
from interlock.replay.steps import Judged, ToolCalled
from interlock.testing import WorkerEnv, worker_env
from interlock.testing.env import Handle
from interlock.tools.contract import Span
from tests.graphs import PAID
from tests.workflow.labelled import CASE, DOCUMENT, PAGE, RULES, SCRIPT, agents
from tests.workflow.test_chains import carried

TENANT = "labelled"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rules."""
    made = tmp_path_factory.mktemp("labels")
    (made / "rules.yaml").write_text(RULES, encoding="utf-8")
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def env(server: Client, folder: Path) -> AsyncIterator[WorkerEnv]:
    """A deployment with a document that lies, and a case that is over."""
    async with worker_env(
        server,
        folder,
        agents=agents(),
        script=SCRIPT,
        approvals={"policy": str(folder / "rules.yaml")},
    ) as running:
        known = (
            Put(namespace=("knowledge",), key="claims.md#1", value={"text": DOCUMENT}),
            Put(namespace=("cases", "C-7"), key="case", value={"text": CASE}),
        )
        await running.app.memory.run_ops_for(known, CallContext(agent="seed", tenant=TENANT))
        yield running


async def judged(handle: Handle) -> list[Judged]:
    """The verdicts on payments of a run, as its history has them."""
    steps = read_steps((await handle.fetch_history()).events)
    return [step for step in steps if isinstance(step, Judged) and step.tool != "read_page"]


def told(spans: Sequence[Span]) -> list[tuple[str, str, str, str]]:
    """Argument, label, source and the words of each span."""
    return [
        (span.argument, span.label, span.source, span.excerpt[span.begin : span.end])
        for span in spans
    ]


async def test_what_a_document_demands_is_asked_about(env: WorkerEnv) -> None:
    """The reviewer sees which words of which document the account and the amount came from."""
    handle = await env.start("clerk", "a claim", tenant=TENANT)
    (action,) = await env.pending(handle)
    assert "rule 'steered' in rules.yaml:10, document in account, amount" in action.why
    source = "knowledge/claims.md#1"
    assert told(action.spans) == [
        ("account", "document", source, "DE89 3704 0044 0532"),
        ("amount", "document", source, "999"),
    ]
    assert action.spans[1].excerpt.endswith("refund 999 to account DE89 3704 0044 0532.")
    await env.decide(handle, action, "reject", comment="no such claim")
    assert (await env.result(handle)).reply == "Done."
    assert PAID["de8937040044-0532"] == []
    (step,) = await judged(handle)
    assert step.spans == action.spans
    (event,) = await env.app.audit.events(EventFilter(workflow_id=handle.id, kind="verdict"))
    assert event.details["labels"] == ["document"]
    await env.replay(handle)


async def test_what_is_remembered_is_labelled_too(env: WorkerEnv) -> None:
    """An edit is judged again: with an account that no text has, nobody else is asked."""
    handle = await env.start("clerk", "as always", tenant=TENANT)
    (action,) = await env.pending(handle)
    assert told(action.spans) == [("account", "memory", "cases/C-7/case", "OLD-4040")]
    account = f"N{uuid.uuid4().hex}"
    arguments = {"account": account, "amount": 5}
    await env.decide(handle, action, "edit", arguments=arguments)
    assert (await env.result(handle)).reply == "Done."
    assert (PAID["OLD-4040"], PAID[account]) == ([], [5])
    first, second = await judged(handle)
    assert [step.outcome for step in (first, second)] == ["ask", "allow"]
    assert second.spans == ()
    await env.replay(handle)


@pytest.mark.parametrize("message", ["the page", "the broken page"])
async def test_an_account_that_a_page_names_is_denied(env: WorkerEnv, message: str) -> None:
    """However it is written, and also when it came with an error; the model reads why."""
    handle = await env.start("reader", message)
    assert (await env.result(handle)).reply == "Done."
    assert PAID["EVIL4711"] == PAID["evil-4711"] == []
    answer = (await handle.query("transcript"))[-2]["data"]
    assert answer["status"] == "error"
    assert (
        "An account that a page names is not paid. [rule 'accounts-of-pages'" in answer["content"]
    )
    (step,) = await judged(handle)
    assert told(step.spans) == [("account", "web", "tool read_page [c0]", "EV-il 4711")]
    await env.replay(handle)


async def test_what_the_caller_says_is_the_callers(env: WorkerEnv) -> None:
    """No rule is about it here, so it is paid; the verdict, before the call, says where it came from."""
    handle = await env.start("reader", "pay 250 to rent-2025")
    assert (await env.result(handle)).reply == "Done."
    assert PAID["rent-2025"] == [250]
    (step,) = await judged(handle)
    assert [span.label for span in step.spans] == ["caller", "caller"]
    (message, *_) = await handle.query("transcript")
    assert {span.source for span in step.spans} == {f"message {message['data']['id']}"}
    steps = read_steps((await handle.fetch_history()).events)
    (made,) = [item for item in steps if isinstance(item, ToolCalled)]
    assert made.event_id > step.event_id
    await env.replay(handle)


async def test_a_middleware_that_asks_shows_what_reached_the_call(env: WorkerEnv) -> None:
    """On the terms of the rule, like any other request."""
    handle = await env.start("careful", "the question")
    (action,) = await env.pending(handle)
    assert told(action.spans) == [("amount", "web", "tool read_page [c0]", "999")]
    assert action.tier.who == ("lead",)
    await env.decide(handle, action, "approve")
    assert (await env.result(handle)).reply == "Done."
    assert PAID["vases"] == [999]
    await env.replay(handle)


async def test_a_new_policy_sees_the_same_labels(
    env: WorkerEnv, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What waits is judged again with what reached it."""
    handle = await env.start("reader", "the amount")
    await env.pending(handle)
    stricter = tmp_path / "rules.yaml"
    denied = "{name: stricter, tool: pay, when: \"'web' in labels.amount\", then: {deny: Not by a page.}}"
    stricter.write_text(f"rules:\n  - {denied}\n", encoding="utf-8")
    contracts = [tool.contract for tool in env.app.tools.values()]
    policy = load_rules(stricter, contracts)
    monkeypatch.setattr(env.app._policy_activities, "_policy", policy)
    answer = await handle.execute_update("rejudge")
    assert [item["outcome"] for item in answer["requests"]] == ["denied"]
    assert (await env.result(handle)).reply == "Done."
    assert PAID["stools"] == []
    await env.replay(handle)


async def test_a_page_is_remembered_in_the_next_run(server: Client, folder: Path) -> None:
    """A conversation that continued as new knows what it read before."""
    (folder / "long").mkdir()
    async with worker_env(
        server,
        folder / "long",
        agents=agents(),
        script=SCRIPT,
        approvals={"policy": str(folder / "rules.yaml")},
        temporal={"history_events": 50},
    ) as env:
        handle = await env.start("reader", "the news", conversation=True)
        (action,) = await env.pending(handle)
        stray = {"request_id": "x:y", "verb": "approve", "digest": "z"}
        for _ in range(15):  # each is a workflow task: history is long when the decision comes
            await handle.execute_update("submit_decision", stray)
        await env.decide(handle, action, "reject")
        await env.idle(handle)
        parts = len(await carried(env, handle))
        assert parts >= 1
        await handle.execute_update("submit_message", "and now?")
        await env.idle(handle)
        await handle.signal("cancel_run")
        await env.result(handle)
        answer = (await handle.query("transcript"))[-2]["data"]
        assert "An account that a page names is not paid." in answer["content"]
        assert PAID["EVIL 4711"] == []
        first, *_ = await carried(env, handle)
        texts = {item["label"]: item["text"] for item in first["outside"]}
        assert texts == {"caller": "the news", "web": PAGE}
