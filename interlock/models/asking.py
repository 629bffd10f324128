"""One call of one candidate: a binding is turned into what its chat model understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from langsmith import tracing_context

from interlock.models.contract import Binding, Candidate
from interlock.models.schema_tools import bounded, offers_tools, prompt_of, schema_of, translate


async def ask(
    model: BaseChatModel,
    candidate: Candidate,
    messages: Sequence[BaseMessage],
    binding: Binding,
    call_id: str,
) -> AIMessage:
    """Return the answer of `model` to a conversation.

    Args:
        model: The chat model of `candidate`.
        candidate: Says whether tools are called natively or under a schema. Local models always
            work under a schema: none of them calls tools reliably by itself.
        messages: The whole conversation.
        binding: Tools, schema, stop words and options.
        call_id: Ids that the answer lacks are made from it.
    """
    provider = candidate.model.partition(":")[0]
    if provider != "local" and candidate.tool_calling == "native":
        tools = _tools(binding, strict=provider == "openai" and bool(binding.schema_))
        return await _invoke(model, list(messages), binding, tools, binding.schema_)
    prompt = prompt_of(messages, binding)
    if offers_tools(binding):
        answer = await _invoke(model, prompt, binding, {}, schema_of(binding))
        return translate(answer, call_id)
    schema = bounded(binding.schema_) if binding.schema_ else None
    return await _invoke(model, prompt, binding, {}, schema)


def _tools(binding: Binding, *, strict: bool) -> dict[str, Any]:
    """Return the arguments of `bind_tools`; OpenAI takes tools beside a schema only when strict."""
    if not binding.tools:
        return {}
    tools = [
        convert_to_openai_tool(tool["function"], strict=True)
        if strict and "function" in tool
        else tool
        for tool in binding.tools
    ]
    return {"tools": tools, "tool_choice": binding.tool_choice}


async def _invoke(
    model: BaseChatModel,
    messages: list[BaseMessage],
    binding: Binding,
    tools: dict[str, Any],
    schema: dict[str, Any] | None,
) -> AIMessage:
    options = dict(binding.options)
    if binding.stop:
        options["stop"] = list(binding.stop)
    if schema:
        # The one form that every provider library takes, as it is what `create_agent` sends.
        described = {"name": schema.get("title", "answer"), "schema": schema}
        options["response_format"] = {"type": "json_schema", "json_schema": described}
    bound = model.bind_tools(**tools, **options) if tools else model.bind(**options)
    # A caller's callbacks hear of the role's model, not of the candidate behind it as well; and a
    # prompt goes to no tracing service because a variable happens to be set.
    with tracing_context(enabled=False):
        return await bound.ainvoke(messages, {"callbacks": []})
