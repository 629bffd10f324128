"""The chat model of agent code: a LangChain model that names a role and calls through a port.

In a workflow the port is the model door, elsewhere the gateway itself; the model cannot tell. Its
asynchronous path uses no thread, clock or randomness of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from interlock.canonical import jsonable
from interlock.errors import BadInput, NoPort, UnsupportedInWorkflow
from interlock.models.contract import MODEL_PORT, Binding, ModelPort
from interlock.models.messages import from_json, to_json
from interlock.models.structured import Schema, StructuredModel, response_format

Tool = dict[str, Any] | type | Callable[..., Any] | BaseTool


class ChatModel(BaseChatModel):
    """A chat model that is whatever the deployment's configuration says its role is."""

    role: str = "fast"
    """Role of the model map in `interlock.toml`."""

    @property
    def _llm_type(self) -> str:
        return "interlock"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"role": self.role}

    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: Any = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools it may call.

        Args:
            tools: Tools, functions, pydantic classes or OpenAI tool objects.
            tool_choice: None or 'auto', 'any', 'none', the name of a tool, or an OpenAI object.
            strict: Ask the provider to keep to the tools' schemas exactly.
            kwargs: More arguments of each call, such as `response_format` or `temperature`.
        """
        formatted = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        return self.bind(tools=formatted, tool_choice=tool_choice, **kwargs)

    def with_structured_output(
        self, schema: Schema, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Return this model with answers parsed into `schema`.

        `method` and `strict` are accepted and ignored: the candidate that answers decides how it
        is held to the schema.

        Raises:
            ValueError: another keyword argument.
        """
        unknown = sorted(set(kwargs) - {"method", "strict"})
        if unknown:
            raise ValueError(f"Received unsupported arguments {unknown}")
        bound = self.bind(response_format=response_format(schema))
        return StructuredModel(bound, schema, include_raw=include_raw)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Return a rough count: which tokenizer will read them is not known before the call."""
        return count_tokens_approximately(messages)

    def get_num_tokens(self, text: str) -> int:
        """Return a rough count; see `get_num_tokens_from_messages`."""
        return count_tokens_approximately([text])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        port = _port()
        answer = await port.call_model(
            self.role, [to_json(message) for message in messages], _binding(stop, kwargs)
        )
        return ChatResult(generations=[ChatGeneration(message=from_json(answer.message))])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        _port()
        if _loop_runs():
            raise UnsupportedInWorkflow(
                f"model(role={self.role!r}) was called synchronously while an event loop runs. "
                "Write `await model.ainvoke(...)` in an async node."
            )
        return asyncio.run(self._agenerate(messages, stop, **kwargs))


def model(role: str = "fast") -> ChatModel:
    """Return the chat model of a role, for any LangChain or LangGraph code."""
    return ChatModel(role=role)


def _port() -> ModelPort:
    port = MODEL_PORT.get(None)
    if port is None:
        raise NoPort(
            "No application is open, so no model can be called. In a workflow the host opens it; "
            "elsewhere set MODEL_PORT to a model gateway first."
        )
    return port


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _binding(stop: list[str] | None, kwargs: dict[str, Any]) -> Binding:
    options = dict(kwargs)
    return Binding(
        tools=tuple(options.pop("tools", None) or ()),
        tool_choice=options.pop("tool_choice", None),
        schema=_schema(options.pop("response_format", None)),
        stop=tuple(stop or ()),
        options=jsonable(options),
    )


def _schema(wanted: Any) -> dict[str, Any] | None:
    """Return the JSON schema of a `response_format`, however it was written."""
    if wanted is None:
        return None
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        described = wanted["json_schema"]
        return {"title": described.get("name", "answer"), **described["schema"]}
    if isinstance(wanted, dict) and wanted.get("type") in ("text", "json_object"):
        raise BadInput(
            f"response_format {wanted!r} is not supported. Give a schema: "
            "`model.with_structured_output(Schema)`."
        )
    found: dict[str, Any] = response_format(wanted)["json_schema"]["schema"]
    return found
