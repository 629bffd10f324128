"""The copilot and the assistant on the real local model: that it is called, counted and free.

What it says is not asserted: a model of this size is there so that everything runs anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from interlock.settings import load_settings
from interlock.workflows.contract import Usage
from tests.integration.application.copilot.shop import ROOT, Shop, open_shop

MODEL = "local:smollm2-135m"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def local(server: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A shop with the models of interlock.toml."""
    models = {role: found.model_dump() for role, found in load_settings(ROOT).models.items()}
    folder = tmp_path_factory.mktemp("local")
    limits = {"model_mistakes": 2, "steps": 12}
    async with open_shop(server, folder, models=models, limits=limits) as opened:
        yield opened


def _was_free(usage: Usage, calls: int) -> bool:
    return (
        usage.models == {MODEL: calls}
        and usage.cost_usd == 0.0
        and usage.unpriced_calls == 0
        and usage.input_tokens > 0
        and usage.output_tokens > 0
    )


async def test_the_copilot_refunds_once_whatever_the_model_says(local: Shop) -> None:
    """The amount is the order's, the refund is made once, the reply is a draft or says it is none."""
    handle = await local.case("My order A-1042 arrived broken, I want my money back.", "C-0007")
    (action,) = await local.env.pending(handle)
    assert (action.tool, action.arguments["amount"]) == ("refund", "89.00")
    await local.env.decide(handle, action, "approve")
    closed = await handle.result()
    assert len(await local.payments.refunds()) == 1
    assert _was_free(Usage.model_validate(closed["usage"]), calls=2)
    problems = (await handle.query("state"))["problems"]
    is_template = closed["reply"].endswith("Harbour Lane (automatic reply)")
    assert closed["reply_source"] == ("template" if problems else "draft")
    assert is_template == bool(problems)
    assert "89" in closed["reply"]
    await local.env.replay(handle)


async def test_the_assistant_calls_tools_by_schema(local: Shop) -> None:
    """The model chooses tools under a schema; it ends with an answer, or is stopped and says why."""
    handle = await local.run("assistant", "Where is my order A-1053?")
    (ended,) = await asyncio.gather(handle.result(), return_exceptions=True)
    if isinstance(ended, BaseException):
        assert isinstance(ended.__cause__, ApplicationError)
        assert ended.__cause__.type == "LIMIT_REACHED"
    said = [m["data"] for m in await handle.query("transcript") if m["type"] == "ai"]
    assert said
    assert all(bool(message["tool_calls"]) != bool(message["content"]) for message in said)
    usage = Usage.model_validate(await handle.query("usage"))
    assert _was_free(usage, calls=usage.model_calls)
    await local.env.replay(handle)
