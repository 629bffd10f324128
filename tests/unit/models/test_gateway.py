"""The model gateway: candidates in order, transcripts by reference, usage, ids that stay."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import invalid_tool_call
from langchain_core.outputs import ChatGeneration, ChatResult

from interlock.context import CallContext
from interlock.errors import (
    ConfigError,
    ModelFileCorrupt,
    ModelMissing,
    ModelUnavailable,
    PayloadMissing,
    RunCancelled,
    ScriptMismatch,
)
from interlock.models.contract import Binding, Candidate, ModelAnswer, ModelCall
from interlock.models.gateway import ModelGateway
from interlock.models.messages import from_json, to_json
from interlock.models.transcripts import TranscriptStore

TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "required": ["a"],
        },
    },
}
CONTEXT = CallContext(agent="test", lineage="default/run/1")


class Hang:
    """What a model does that never answers; says when it was asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()


class FakeModel(BaseChatModel):
    """Answers, raises or hangs, and keeps what it was asked."""

    does: Any
    asked: list[Any] = []  # noqa: RUF012 - a pydantic field, copied for each model
    threads: list[Any] = []  # noqa: RUF012 - the same

    @property
    def _llm_type(self) -> str:
        return "fake"

    def bind_tools(self, tools, *, tool_choice=None, **kwargs):
        """Bind as providers do."""
        return self.bind(tools=tools, tool_choice=tool_choice, **kwargs)

    def _generate(self, *args, **kwargs) -> ChatResult:
        raise AssertionError("only the asynchronous path is used")

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs) -> ChatResult:
        self.asked.append((messages, {"stop": stop, **kwargs}))
        self.threads.append(threading.get_ident())
        if isinstance(self.does, Exception):
            raise self.does
        if isinstance(self.does, Hang):
            self.does.asked.set()
            await asyncio.Event().wait()
        return ChatResult(generations=[ChatGeneration(message=self.does.model_copy())])


class Models:
    """Chat models by reference; an exception stands for a model that cannot be made."""

    def __init__(self, models: dict[str, Any]) -> None:
        self.models = models

    async def chat_model(self, candidate: Candidate) -> BaseChatModel:
        """Return or raise what the test put there."""
        found = self.models[candidate.model]
        if isinstance(found, Exception):
            raise found
        return found


class Observer:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[ModelCall, Any, str]] = []

    async def model_called(self, call, answer, *, started_at, ended_at, prompt_ref) -> None:
        """Keep a call."""
        assert started_at <= ended_at
        self.calls.append((call, answer, prompt_ref))


def said(text: str = "hello", **fields: Any) -> AIMessage:
    """Make an answer with usage."""
    usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
    return AIMessage(text, usage_metadata=usage, **fields)


def call(*messages: Any, **fields: Any) -> ModelCall:
    """Make a call of role `fast`."""
    data = tuple(to_json(message) for message in messages or (HumanMessage("hi"),))
    values = {"call_id": "m1", "role": "fast", "context": CONTEXT, "binding": Binding()}
    return ModelCall(messages=data, **(values | fields))


@pytest.fixture
def gateway(payloads):
    """Make a gateway whose role `fast` has the given models, in order."""

    def make(models: dict[str, Any], observer: Observer | None = None, **fields: Any):
        candidates = [Candidate(model=name, **fields) for name in models]
        return ModelGateway(
            roles={"fast": candidates},
            providers=Models(models),
            transcripts=TranscriptStore(payloads),
            payloads=payloads,
            observer=observer,
        )

    return make


async def test_the_first_candidate_answers(gateway) -> None:
    """The answer carries message, model, usage, price and a reference to the whole transcript."""
    made = gateway({"openai:gpt-4o-mini": FakeModel(does=said())})
    answer = await made.answer(call())
    assert from_json(answer.message).text == "hello"
    assert answer.model == "openai:gpt-4o-mini"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (1000, 100)
    assert answer.usage.cost_usd == pytest.approx(1000 * 0.15e-6 + 100 * 0.6e-6)
    assert answer.fell_back == ()
    assert answer.seconds >= 0


async def test_a_prefix_is_put_before_the_new_messages(gateway) -> None:
    """A later call sends a reference and its new messages; the model sees all of them."""
    model = FakeModel(does=said("", tool_calls=[{"name": "add", "args": {}, "id": "c1"}]))
    made = gateway({"openai:x": model})
    first = await made.answer(call(HumanMessage("1 + 2")))
    result = ToolMessage("3", tool_call_id="c1")
    second = await made.answer(call(result, prefix=first.ref, call_id="m2"))
    asked = model.asked[1][0]
    assert [type(message).__name__ for message in asked] == [
        "HumanMessage",
        "AIMessage",
        "ToolMessage",
    ]
    assert asked[1].id == from_json(first.message).id
    assert second.ref != first.ref


async def test_a_retried_call_gives_the_same_ids_and_references(gateway, payloads) -> None:
    """An attempt made again, in another process, stores nothing new."""
    answer = said("", tool_calls=[{"name": "add", "args": {}, "id": None}])
    one = await gateway({"openai:x": FakeModel(does=answer)}).answer(call())
    stored = dict(payloads.data)
    two = await gateway({"openai:x": FakeModel(does=answer)}).answer(call())
    assert one.message == two.message
    assert one.ref == two.ref
    assert payloads.data == stored
    assert from_json(one.message).tool_calls[0]["id"].startswith("call_")


async def test_a_call_that_cannot_be_read_has_an_id_too(gateway) -> None:
    """So that the model can be told what is wrong with it."""
    broken = invalid_tool_call(name="add", args="{", id=None)
    call_of = {"name": "add", "args": {}, "id": None}
    model = FakeModel(does=said("", tool_calls=[call_of], invalid_tool_calls=[broken]))
    message = from_json((await gateway({"openai:x": model}).answer(call())).message)
    ids = [item["id"] for item in (*message.tool_calls, *message.invalid_tool_calls)]
    assert len(set(ids)) == 2
    assert all(item.startswith("call_") for item in ids)


async def test_an_answer_that_calls_tools_says_where_it_starts(gateway, payloads) -> None:
    """A run that changes the answer goes on from the prompt; other answers need no reference."""
    tools = [{"name": "add", "args": {}, "id": "c1"}]
    calls = await gateway({"openai:x": FakeModel(does=said("", tool_calls=tools))}).answer(call())
    asked = await TranscriptStore(payloads).load(calls.prompt_ref)
    assert asked == [to_json(HumanMessage("hi"))]
    plain = await gateway({"openai:x": FakeModel(does=said())}).answer(call())
    assert plain.prompt_ref == ""


async def test_outside_a_workflow_a_repeated_id_is_replaced(gateway) -> None:
    """The port sees the whole conversation: an id in it is not given again."""
    tools = [{"name": "add", "args": {}, "id": "c1"}]
    made = gateway({"openai:x": FakeModel(does=said("", tool_calls=tools))})
    asked = [to_json(HumanMessage("hi"))]
    first = await made.call_model("fast", asked, Binding())
    assert from_json(first.message).tool_calls[0]["id"] == "c1"
    again = [*asked, first.message, to_json(ToolMessage("3", tool_call_id="c1"))]
    second = await made.call_model("fast", again, Binding())
    assert from_json(second.message).tool_calls[0]["id"] != "c1"


async def test_other_calls_get_other_ids(gateway) -> None:
    """Message ids are unique in a run and between runs."""
    made = gateway({"openai:x": FakeModel(does=said())})
    other = CONTEXT.model_copy(update={"lineage": "default/run/2"})
    answers = [
        await made.answer(call()),
        await made.answer(call(call_id="m2")),
        await made.answer(call(context=other)),
    ]
    assert len({from_json(answer.message).id for answer in answers}) == 3


async def test_a_binding_is_sent_once(gateway) -> None:
    """From the second call on its reference stands for it, in the order of its keys."""
    model = FakeModel(does=said())
    made = gateway({"openai:x": model})
    binding = Binding(
        tools=(TOOL,), tool_choice="auto", stop=("END",), options={"temperature": 0.5}
    )
    first = await made.answer(call(binding=binding))
    second = await made.answer(call(binding=None, binding_ref=first.binding_ref))
    assert second.binding_ref == first.binding_ref
    assert model.asked[0][1] == model.asked[1][1]
    assert json.dumps(model.asked[0][1]) == json.dumps(model.asked[1][1])
    assert model.asked[0][1] == {
        "stop": ["END"],
        "temperature": 0.5,
        "tools": [TOOL],
        "tool_choice": "auto",
    }


async def test_a_schema_goes_out_as_response_format(gateway) -> None:
    """Structured output takes the form that every provider library knows."""
    model = FakeModel(does=said('{"cents": 5}'))
    schema = {"title": "Amount", "type": "object", "properties": {"cents": {"type": "integer"}}}
    await gateway({"anthropic:x": model}).answer(call(binding=Binding(schema=schema)))
    assert model.asked[0][1]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Amount", "schema": schema},
    }


async def test_openai_gets_strict_tools_beside_a_schema(gateway) -> None:
    """OpenAI's library refuses tools beside a schema unless they are strict."""
    model = FakeModel(does=said())
    binding = Binding(tools=(TOOL,), schema={"title": "A", "type": "object", "properties": {}})
    await gateway({"openai:x": model}).answer(call(binding=binding))
    function = model.asked[0][1]["tools"][0]["function"]
    assert function["strict"] is True
    assert function["parameters"]["additionalProperties"] is False


async def test_errors_fall_to_the_next_candidate(gateway) -> None:
    """An error, a timeout and a missing key are each passed over, with the reason."""
    made = gateway(
        {
            "openai:down": FakeModel(does=ConnectionError("refused")),
            "openai:slow": FakeModel(does=Hang()),
            "mistralai:keyless": ModelMissing("set 'MISTRAL_API_KEY'"),
            "openai:good": FakeModel(does=said()),
        },
        timeout_seconds=0.05,
    )
    answer = await made.answer(call())
    assert answer.model == "openai:good"
    assert answer.fell_back == (
        "openai:down: ConnectionError: refused",
        "openai:slow: no answer within 0.05 s",
        "mistralai:keyless: set 'MISTRAL_API_KEY'",
    )


async def test_when_all_fail_each_is_named_and_the_call_may_be_retried(gateway) -> None:
    """One passing failure makes the whole retryable."""
    made = gateway(
        {"openai:a": FakeModel(does=ConnectionError("refused")), "openai:b": ModelMissing("no key")}
    )
    with pytest.raises(ModelUnavailable) as caught:
        await made.answer(call())
    assert caught.value.retryable
    assert caught.value.details["reasons"] == [
        "openai:a: ConnectionError: refused",
        "openai:b: no key",
    ]


async def test_when_all_are_missing_a_retry_does_not_help(gateway) -> None:
    """Missing keys and files are for the operator."""
    made = gateway({"openai:a": ModelMissing("no key"), "local:b": ModelFileCorrupt("bad hash")})
    with pytest.raises(ModelMissing, match=r"no key \| local:b: bad hash") as caught:
        await made.answer(call())
    assert not caught.value.retryable


@pytest.mark.parametrize("error", [ModelMissing("no key"), ModelFileCorrupt("bad hash")])
async def test_the_error_of_an_only_candidate_keeps_its_code(gateway, error) -> None:
    """With one candidate the operator sees its own error."""
    with pytest.raises(type(error), match=error.message):
        await gateway({"openai:a": error}).answer(call())


async def test_a_script_that_is_left_fails_at_once(gateway) -> None:
    """A developer's mistake is not hidden by the next candidate."""
    made = gateway(
        {"scripted:a": FakeModel(does=ScriptMismatch("left")), "openai:b": FakeModel(does=said())}
    )
    with pytest.raises(ScriptMismatch):
        await made.answer(call())


async def test_an_unknown_role_is_named(gateway) -> None:
    """The error says which roles there are and where to add one."""
    with pytest.raises(ModelMissing, match=r"'judge'.*Configured: fast.*\[models\.judge\]"):
        await gateway({"openai:a": FakeModel(does=said())}).answer(call(role="judge"))


def test_an_unknown_provider_is_refused_at_once(gateway) -> None:
    """A wrong model map fails when the application opens, not at the first call."""
    with pytest.raises(ConfigError, match="'oracle:x' is not a model"):
        gateway({"oracle:x": FakeModel(does=said())})


async def test_a_missing_prefix_is_an_error(gateway) -> None:
    """A reference to nothing is not taken for an empty transcript."""
    with pytest.raises(PayloadMissing):
        await gateway({"openai:a": FakeModel(does=said())}).answer(call(prefix="feed"))


async def test_a_payload_that_is_no_binding_is_an_error(gateway, payloads) -> None:
    """Other bytes under a binding's reference are refused."""
    ref = await payloads.put(b"[]")
    with pytest.raises(PayloadMissing, match="not a binding"):
        await gateway({"openai:a": FakeModel(does=said())}).answer(
            call(binding=None, binding_ref=ref)
        )


async def test_the_observer_hears_of_answers_and_failures(gateway, payloads) -> None:
    """Each call is told with its prompt by reference, answered or not."""
    observer = Observer()
    answer = await gateway({"openai:a": FakeModel(does=said())}, observer).answer(call())
    with pytest.raises(ModelUnavailable):
        await gateway({"openai:a": FakeModel(does=OSError("x"))}, observer).answer(call())
    (_, told, prompt), (_, failure, same_prompt) = observer.calls
    assert told == answer
    assert isinstance(failure, ModelUnavailable)
    assert prompt == same_prompt
    assert await TranscriptStore(payloads).load(prompt) == [to_json(HumanMessage("hi"))]


async def test_a_cancelled_call_cancels_the_request_and_is_told(gateway) -> None:
    """Cancelling reaches the model, and the observer hears that nothing was answered."""
    observer = Observer()
    model = FakeModel(does=Hang())
    running = asyncio.create_task(gateway({"openai:a": model}, observer).answer(call()))
    await model.does.asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert isinstance(observer.calls[0][1], RunCancelled)


async def test_it_is_a_port_of_its_own(gateway) -> None:
    """Outside a workflow the gateway is called directly."""
    made = gateway({"openai:a": FakeModel(does=said())})
    answer = await made.call_model("fast", [to_json(HumanMessage("hi"))], Binding())
    assert isinstance(answer, ModelAnswer)


async def test_calls_of_other_event_loops_are_answered_in_its_own(gateway) -> None:
    """A synchronous node in a thread reaches connections that belong to the application's loop."""
    model = FakeModel(does=said())
    made = gateway({"openai:a": model})

    def elsewhere() -> ModelAnswer:
        return asyncio.run(made.call_model("fast", [to_json(HumanMessage("hi"))], Binding()))

    answer = await asyncio.to_thread(elsewhere)
    assert from_json(answer.message).text == "hello"
    assert model.threads == [threading.get_ident()]


async def test_small_models_choose_tools_under_a_schema(gateway) -> None:
    """With `tool_calling = "schema"` the model gets a schema, and the caller a tool call."""
    model = FakeModel(does=said('{"call": {"tool": "add", "args": {"a": 1}}}'))
    made = gateway({"openai:small": model}, tool_calling="schema")
    answer = await made.answer(call(binding=Binding(tools=(TOOL,))))
    message = from_json(answer.message)
    assert message.tool_calls[0]["args"] == {"a": 1}
    assert message.text == ""
    assert answer.usage.input_tokens == 1000
    asked = model.asked[0][1]
    assert "tools" not in asked
    assert asked["response_format"]["json_schema"]["name"] == "call"


async def test_an_answer_that_was_cut_off_falls_to_the_next_candidate(gateway) -> None:
    """Half a tool call is a failure of its candidate."""
    made = gateway(
        {
            "openai:small": FakeModel(does=said('{"call": {"tool": "ad')),
            "openai:big": FakeModel(
                does=said('{"call": {"tool": "reply", "args": {"text": "x"}}}')
            ),
        },
        tool_calling="schema",
    )
    answer = await made.answer(call(binding=Binding(tools=(TOOL,))))
    assert answer.model == "openai:big"
    assert from_json(answer.message).text == "x"
    assert "cut off" in answer.fell_back[0]
