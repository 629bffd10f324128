"""A chat model for tests that plays a written conversation and fails loudly when it is left.

It keeps no state, so a test, a worker process and a retried activity all get the same answers. The
form of a script is described in `interlock.models.script`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool

from interlock.canonical import digest
from interlock.errors import ConfigError
from interlock.models.script import Answer, Script, ScriptedUsage, choose, read
from interlock.models.structured import Schema, StructuredModel, response_format


class ScriptedModel(BaseChatModel):
    """Plays a script; raises `ScriptMismatch` when the conversation leaves it."""

    script: Script

    def __init__(self, script: Script | Sequence[Any] | dict[str, Any], **kwargs: Any) -> None:
        """Play `script`: a `Script`, its data, or a bare list of steps.

        Raises:
            ConfigError: the data is no script.
        """
        super().__init__(script=read(script, "The script"), **kwargs)

    @classmethod
    def from_file(cls, path: Path) -> ScriptedModel:
        """Return the model that plays a YAML or JSON file.

        Raises:
            ConfigError: the file cannot be read or is no script.
        """
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"Script {str(path)!r} cannot be read: {error}") from error
        return cls(read(data, f"Script {str(path)!r}"))

    @property
    def _llm_type(self) -> str:
        return "interlock-scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: Any = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model; it answers what its script says, whatever tools there are."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def with_structured_output(
        self, schema: Schema, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Return this model with its answers parsed into `schema`."""
        bound = self.bind(response_format=response_format(schema))
        return StructuredModel(bound, schema, include_raw=include_raw)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        asked = kwargs.get("response_format") or {}
        title = asked.get("json_schema", {}).get("name")
        answer = choose(self.script, messages, title)
        return ChatResult(generations=[ChatGeneration(message=_message(answer, messages))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, **kwargs)


def _message(answer: Answer, messages: Sequence[BaseMessage]) -> AIMessage:
    text = answer.text if answer.json_ is None else json.dumps(answer.json_)
    # Message ids stay out: the same conversation gives the same call ids wherever it is held.
    seen = digest([[m.type, m.text, getattr(m, "tool_call_id", "")] for m in messages])
    calls, broken = [], []
    for index, call in enumerate(answer.tool_calls):
        call_id = call.id or f"call_{digest([seen, index])[:24]}"
        if isinstance(call.args, str):
            broken.append(invalid_tool_call(name=call.name, args=call.args, id=call_id))
        else:
            calls.append(tool_call(name=call.name, args=dict(call.args), id=call_id))
    usage = answer.usage or ScriptedUsage(
        input_tokens=_tokens("".join(message.text for message in messages)),
        output_tokens=_tokens(text + json.dumps([*calls, *broken])),
    )
    return AIMessage(
        content=text,
        tool_calls=calls,
        invalid_tool_calls=broken,
        usage_metadata=UsageMetadata(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=usage.input_tokens + usage.output_tokens,
        ),
    )


def _tokens(text: str) -> int:
    return max(1, len(text) // 4)
