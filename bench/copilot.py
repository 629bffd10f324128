"""The support copilot on the labelled messages, model by model: `python -m bench.copilot`.

Each message is a run of the whole deployment: real embedder, documents, CRM and payment service, in
a workflow. Every action is allowed, as by a reviewer who always agrees, so that what was asked for
can be compared with the label. A case that is handed over ends without a reply.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from agents.support.graph import support
from bench.machine import commit, machine, versions
from demo.processes import payment_service
from interlock.context import CallContext
from interlock.memory.knowledge import sync_knowledge
from interlock.server import running_server
from interlock.testing import WorkerEnv, worker_env
from interlock.workflows.contract import RunResult
from tools.service.seed import seed

_ROOT = Path(__file__).parents[1]
_MESSAGES = _ROOT / "tests" / "data" / "messages.yaml"
_DAY = date(2026, 3, 2)
_SECONDS = 600.0
"""Longest time of one model call: a small machine may be slow."""
NO_MODEL = "none"
"""Name of the baseline: rules read the message, templates answer it."""
_DEFAULT = (NO_MODEL, "local:smollm2-135m", "local:qwen2.5-coder-1.5b")
_ACTIONS = ("refund", "replacement", "address_change")

Message = dict[str, Any]
Report = dict[str, Any]


def main() -> None:
    """Measure each model and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.copilot", description=__doc__)
    parser.add_argument("--model", nargs="+", default=_DEFAULT, help="'provider:model', or 'none'")
    parser.add_argument("--limit", type=int, default=None, help="every nth message, so many in all")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    report = asyncio.run(_report(options.model, options.limit))
    print(json.dumps(report, indent=1) if options.json else markdown(report))


async def _report(models: list[str], limit: int | None) -> Report:
    messages: list[Message] = yaml.safe_load(_MESSAGES.read_text(encoding="utf-8"))["messages"]
    chosen = messages[:: max(1, len(messages) // limit)][:limit] if limit else messages
    report: Report = {
        "command": f"python -m bench.copilot {' '.join(sys.argv[1:])}".strip(),
        "commit": commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "messages": len(chosen),
    }
    with tempfile.TemporaryDirectory() as folder:
        async with running_server() as server:
            report["models"] = [
                await _measure(model, chosen, server.client, Path(tempfile.mkdtemp(dir=folder)))
                for model in models
            ]
    return report


async def _measure(model: str, messages: list[Message], client: Any, folder: Path) -> Report:
    os.environ["SHOP_CRM_URL"] = f"sqlite+aiosqlite:///{folder / 'crm.db'}"
    await seed(_DAY)
    rows = []
    async with payment_service(folder) as url, _deployment(model, client, folder) as env:
        os.environ["SHOP_PAYMENTS_URL"] = url
        for place, message in enumerate(messages, 1):
            rows.append(await _answer(env, message))
            print(f"{model} {place}/{len(messages)} {rows[-1]}", file=sys.stderr, flush=True)
    return {"model": model, **figures(rows), "cases": rows}


@asynccontextmanager
async def _deployment(model: str, client: Any, folder: Path) -> AsyncIterator[WorkerEnv]:
    candidate = {"model": model, "timeout_seconds": _SECONDS, "options": {"temperature": 0}}
    roles = {} if model == NO_MODEL else {"fast": {"candidates": [candidate]}}
    async with worker_env(
        client,
        folder,
        agents=[support],
        models=roles,
        memory={"embedder": "minilm-int8"},
        seeds=["memory.intents:SEEDS"],
        approvals={"medium": "allow", "high": "allow"},
    ) as env:
        documents = _ROOT / "memory" / "knowledge"
        await sync_knowledge(env.app.memory, documents, CallContext(agent="bench"))
        await env.app.seed("default")
        yield env


async def _answer(env: WorkerEnv, message: Message) -> Report:
    began = datetime.now(UTC)
    handle = await env.client.start_workflow(
        "AgentWorkflow",
        {
            "agent": "support",
            "input": {"messages": [message["text"]], "customer_id": message["customer_id"] or ""},
        },
        id=f"bench-{message['id']}-{uuid.uuid4().hex[:8]}",
        task_queue=env.task_queue,
    )
    try:
        (question,) = await env.pending(handle)
    except AssertionError:  # it ended without a question
        handed_over = False
    else:
        handed_over = True
        await env.decide(handle, question, "reject")
    seconds = (datetime.now(UTC) - began).total_seconds()
    result = await env.result(handle)
    return {**judge(message, result, handed_over=handed_over), "seconds": round(seconds, 2)}


def judge(message: Message, result: RunResult, *, handed_over: bool) -> Report:
    """Compare how a case ended with its label."""
    output = result.output
    done = output.get("done") or {}
    called = done.get("action") if done.get("outcome") in ("done", "failed") else None
    step = called or ("escalate" if handed_over else "reply")
    asked = done.get("arguments", {})
    wanted = message.get("arguments", {})
    documents = [source["document"] for source in output["sources"]]
    return {
        "id": message["id"],
        "intent": output["intent"],
        "right_intent": output["intent"] == message["intent"],
        "step": step,
        "right_step": step == message["action"],
        "expects_action": message["action"] in _ACTIONS,
        "right_arguments": step == message["action"]
        and all(asked.get(name) == value for name, value in wanted.items()),
        "page_found": bool(set(documents) & set(message["documents"])),
        "page_first": documents[:1] != [] and documents[0] in message["documents"],
        "expects_page": bool(message["documents"]),
        "reply_source": "handed over" if handed_over else output["reply_source"],
        "draft": output.get("draft", ""),
        "problems": output.get("problems", []),
        "tokens": result.usage.input_tokens + result.usage.output_tokens,
        "model_calls": result.usage.model_calls,
    }


def figures(rows: list[Report]) -> Report:
    """Sum the cases of one model up."""
    actions = [row for row in rows if row["expects_action"]]
    pages = [row for row in rows if row["expects_page"]]
    replies = Counter(row["reply_source"] for row in rows)
    return {
        "intent_accuracy": _share(rows, "right_intent"),
        "right_next_step": _share(rows, "right_step"),
        "wrong_argument_rate": round(1 - _share(actions, "right_arguments"), 3),
        "expected_actions": len(actions),
        "page_among_three": _share(pages, "page_found"),
        "page_first": _share(pages, "page_first"),
        "drafts_accepted": replies["draft"],
        "templates_sent": replies["template"],
        "handed_over": replies["handed over"],
        "seconds_median": round(median(row["seconds"] for row in rows), 1),
        "tokens_per_message": round(sum(row["tokens"] for row in rows) / len(rows)),
    }


def markdown(report: Report) -> str:
    """Return the report as a table, with where and when it was made."""
    lines = [
        "| model | intent right | next step right | wrong arguments | drafts accepted "
        "| templates sent | handed over | seconds a message |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {found['model']} | {found['intent_accuracy']:.0%} | {found['right_next_step']:.0%} "
        f"| {found['wrong_argument_rate']:.0%} of {found['expected_actions']} "
        f"| {found['drafts_accepted']} | {found['templates_sent']} | {found['handed_over']} "
        f"| {found['seconds_median']} |"
        for found in report["models"]
    ]
    where = report["machine"]
    lines += [
        "",
        f"{report['messages']} messages, {report['measured_at'][:10]}, commit {report['commit']}, "
        f"{where['cpu']}, {where['cores']} cores, load {where['load_before']} before. "
        f"`{report['command']}`",
    ]
    return "\n".join(lines)


def _share(rows: list[Report], key: str) -> float:
    return round(sum(bool(row[key]) for row in rows) / len(rows), 3) if rows else 0.0


if __name__ == "__main__":
    main()
