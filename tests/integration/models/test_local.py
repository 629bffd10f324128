"""The local model: a real llama.cpp process behind the gateway. Asserts form and wiring, not wit."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Literal

import httpx
import psutil
import pytest
import pytest_asyncio
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from interlock.agents import ChatModel, model
from interlock.errors import ModelUnavailable, PayloadMissing
from interlock.models.catalogue import ModelFile
from interlock.models.contract import MODEL_PORT, Binding, Candidate
from interlock.models.gateway import ModelGateway
from interlock.models.local import LocalModels
from interlock.models.messages import to_json
from interlock.models.providers import Providers
from interlock.models.transcripts import TranscriptStore

NAME = "smollm2-135m"


class Intent(BaseModel):
    """What a customer wants."""

    intent: Literal["billing", "shipping", "returns"]
    reason: str
    urgency: int = Field(ge=1, le=3)


@tool
def look_up_order(order_id: str) -> str:
    """Look an order up."""
    return f"{order_id} was delivered"


class Payloads:
    """A payload store in a dictionary."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        """Store bytes under their hash."""
        ref = hashlib.sha256(data).hexdigest()
        self.data[ref] = data
        return ref

    async def get(self, ref: str) -> bytes:
        """Return stored bytes."""
        if ref not in self.data:
            raise PayloadMissing(ref)
        return self.data[ref]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gateway(local_models, tmp_path_factory) -> AsyncIterator[ModelGateway]:
    """A gateway whose role `fast` is the small local model."""
    providers = Providers(
        key_of=lambda name: None,
        local=local_models,
        project_dir=tmp_path_factory.mktemp("project"),
    )
    payloads = Payloads()
    candidate = Candidate(model=f"local:{NAME}", options={"max_tokens": 64}, timeout_seconds=120)
    yield ModelGateway(
        roles={"fast": [candidate]},
        providers=providers,
        transcripts=TranscriptStore(payloads),
        payloads=payloads,
    )
    await providers.aclose()


@pytest.fixture
def chat(gateway):
    """The chat model of an agent, over the local model."""
    token = MODEL_PORT.set(gateway)
    yield model()
    MODEL_PORT.reset(token)


def server_of(endpoint) -> psutil.Process:
    """Find the process that listens at an endpoint."""
    port = int(endpoint.base_url.rpartition(":")[2].removesuffix("/v1"))
    for child in psutil.Process().children():
        if any(found.laddr.port == port for found in child.net_connections("tcp")):
            return child
    raise AssertionError(f"no child listens at {endpoint.base_url}")


async def test_it_answers_and_counts_tokens(chat: ChatModel, gateway) -> None:
    """A text comes back with the tokens it took, free of charge."""
    answer = await chat.ainvoke([SystemMessage("You are kind."), HumanMessage("Say hello.")])
    assert answer.text
    assert answer.usage_metadata["input_tokens"] > 5
    assert answer.usage_metadata["output_tokens"] > 0
    assert answer.response_metadata["model_name"] == NAME
    assert answer.id.startswith("msg_")


async def test_structured_output_fits_its_schema(chat: ChatModel) -> None:
    """Even a very small model cannot leave a schema."""
    found = await chat.with_structured_output(Intent).ainvoke("My parcel is lost!")
    assert isinstance(found, Intent)


async def test_a_forced_tool_is_called(chat: ChatModel) -> None:
    """Schema tool calling gives a real tool call with arguments of the right type."""
    bound = chat.bind_tools([look_up_order], tool_choice="any")
    answer = await bound.ainvoke("Where is my order A-1042?")
    (call,) = answer.tool_calls
    assert call["name"] == "look_up_order"
    assert isinstance(call["args"]["order_id"], str)
    assert call["id"].startswith("call_")


async def test_synchronous_code_in_threads_can_call_it(chat: ChatModel) -> None:
    """Sync nodes, each in a loop of its own, share the application's connections."""
    texts = [await asyncio.to_thread(lambda: chat.invoke("Say hello.").text) for _ in range(2)]
    assert all(texts)


async def test_the_price_and_the_model_are_told(gateway) -> None:
    """The answer names the candidate; a local model costs nothing."""
    answer = await gateway.call_model("fast", [to_json(HumanMessage("hi"))], Binding())
    assert answer.model == f"local:{NAME}"
    assert answer.usage.cost_usd == 0.0
    assert answer.usage.input_tokens > 0


async def test_a_killed_server_is_started_again(chat: ChatModel, local_models) -> None:
    """The next call after a crash is answered by a new process."""
    before = await local_models.endpoint(NAME)
    process = server_of(before)
    process.kill()
    await asyncio.to_thread(process.wait, 10)
    assert (await chat.ainvoke("Say hello.")).text
    after = await local_models.endpoint(NAME)
    assert after.key != before.key


async def test_first_uses_at_once_start_one_process(model_files) -> None:
    """Concurrent calls wait for one start, and closing ends the process."""
    models = LocalModels(model_files, threads=1)
    first, *others = await asyncio.gather(*(models.endpoint(NAME) for _ in range(4)))
    process = server_of(first)
    await models.aclose()
    assert others == [first] * 3
    assert not process.is_running()


async def test_a_stranger_is_refused(local_models) -> None:
    """Another user of the machine cannot use the port without the key of this start."""
    endpoint = await local_models.endpoint(NAME)
    body = {"messages": [{"role": "user", "content": "hi"}]}
    async with httpx.AsyncClient() as client:
        url = f"{endpoint.base_url}/chat/completions"
        answer = await client.post(url, json=body, headers={"Authorization": "Bearer guess"})
    assert answer.status_code == 401
    assert endpoint.key.get_secret_value() not in " ".join(server_of(endpoint).cmdline())


def test_the_server_dies_with_its_parent(model_files) -> None:
    """A parent that is killed leaves no process behind."""
    code = (
        "import asyncio, json, sys, psutil; from pathlib import Path; "
        "from interlock.models.local import LocalModels; "
        f"models = LocalModels(Path(sys.argv[1]), threads=1); "
        f"asyncio.run(models.endpoint({NAME!r})); "
        "print(json.dumps([child.pid for child in psutil.Process().children()]), flush=True); "
        "sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, os.fspath(model_files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        (server,) = [psutil.Process(pid) for pid in json.loads(parent.stdout.readline())]
        assert server.is_running()
        parent.kill()
    gone, alive = psutil.wait_procs([server], timeout=20)
    assert gone == [server]
    assert alive == []


@pytest.mark.parametrize(
    ("start_timeout", "why"),
    [(60.0, "Failed to init server"), (0.001, "it gave no reason")],
    ids=["broken file", "too slow"],
)
async def test_a_model_that_does_not_start_is_named(tmp_path, start_timeout, why) -> None:
    """A file that llama.cpp refuses, or a load that takes too long, is an error and no hang."""
    content = b"not a model"
    (tmp_path / "bad.gguf").write_bytes(content)
    file = ModelFile(
        name="bad",
        file_name="bad.gguf",
        purpose="test",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        licence="none",
        sources=(),
        context=128,
    )
    models = LocalModels(tmp_path, start_timeout=start_timeout, catalogue=(file,))
    with pytest.raises(ModelUnavailable, match=f"'bad' did not start: {why}"):
        await models.endpoint("bad")
    await models.aclose()
