"""Tool calls for models that make none: the choice of a tool becomes an answer under a schema.

The model is shown its tools in words, and its answer must fit
``{"call": {"tool": NAME, "args": {...}}}`` with one branch for each tool and one for a reply to the
user. What it answers is translated back, so nobody behind the gateway sees the difference. A tool
whose schema gives examples of its arguments is also shown by example; made-up examples are not
used, since small models repeat their values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.tool import tool_call
from langchain_core.utils.json_schema import dereference_refs

from interlock.canonical import digest
from interlock.models.contract import Binding

REPLY = "reply"
"""The made-up tool that answers the user."""

_TEXT = 600
_STRING = 200
_ITEMS = 10


def bounded(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` without references, with a longest length for every string and list.

    A small model under a schema may fill an open string until its tokens end.
    """
    found: dict[str, Any] = _bounded(dereference_refs(schema))
    found.pop("$defs", None)
    return found


def schema_of(binding: Binding) -> dict[str, Any]:
    """Return the schema of the answer: one branch for each tool that `tool_choice` allows."""
    allowed, may_reply = _allowed(binding)
    branches = [_branch(name, parameters) for name, _, parameters in allowed]
    if may_reply:
        text = {
            "type": "object",
            "properties": {"text": {"type": "string", "maxLength": _TEXT}},
            "required": ["text"],
            "additionalProperties": False,
        }
        branches.append(_branch(REPLY, bounded(binding.schema_) if binding.schema_ else text))
    return {
        "title": "call",
        "type": "object",
        "properties": {"call": {"anyOf": branches}},
        "required": ["call"],
        "additionalProperties": False,
    }


def offers_tools(binding: Binding) -> bool:
    """Return whether the answer may be a tool call."""
    return bool(binding.tools) and binding.tool_choice != "none"


def prompt_of(messages: Sequence[BaseMessage], binding: Binding) -> list[BaseMessage]:
    """Return the conversation in words: tools in the system message, calls and results as text."""
    system = [str(message.text) for message in messages if isinstance(message, SystemMessage)]
    examples: list[BaseMessage] = []
    if offers_tools(binding):
        allowed, may_reply = _allowed(binding)
        system.append(_instructions(allowed, may_reply))
        examples = _examples(allowed)
    turns: list[BaseMessage] = [SystemMessage("\n\n".join(system))] if system else []
    turns.extend(examples)
    for message in messages:
        if isinstance(message, AIMessage):
            turns.extend(_said(message, binding))
        elif isinstance(message, ToolMessage):
            turns.append(HumanMessage(f"Result of {message.name or 'the tool'}: {message.text}"))
        elif not isinstance(message, SystemMessage):
            turns.append(HumanMessage(message.text))
    return turns


def translate(answer: AIMessage, call_id: str) -> AIMessage:
    """Return the answer as a message with a tool call or with text; ids follow from `call_id`.

    Raises:
        ValueError: the answer does not fit the schema; it was probably cut off.
    """
    try:
        call = json.loads(answer.text)["call"]
        tool, arguments = call["tool"], call["args"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"no tool call in the answer {answer.text[:80]!r}: cut off?") from error
    made = answer.model_copy(update={"content": "", "tool_calls": [], "invalid_tool_calls": []})
    if tool == REPLY:
        plain = set(arguments) == {"text"} and isinstance(arguments["text"], str)
        made.content = arguments["text"] if plain else json.dumps(arguments)
    else:
        made.tool_calls = [tool_call(name=tool, args=arguments, id=f"call_{digest(call_id)[:24]}")]
    return made


_Tool = tuple[str, str, dict[str, Any]]


def _allowed(binding: Binding) -> tuple[list[_Tool], bool]:
    """Return name, description and parameters of the tools that may be called, and if it may reply."""
    tools = [_described(tool["function"]) for tool in binding.tools if "function" in tool]
    choice = binding.tool_choice
    if isinstance(choice, dict):
        choice = choice.get("function", choice).get("name", "any")
    if choice in (None, False, "auto"):
        return tools, True
    if choice in (True, "any", "required"):
        return tools, False
    return [tool for tool in tools if tool[0] == choice], False


def _described(function: dict[str, Any]) -> _Tool:
    parameters = function.get("parameters") or {"type": "object", "properties": {}}
    return function["name"], function.get("description", ""), bounded(parameters)


def _branch(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"tool": {"const": name}, "args": arguments},
        "required": ["tool", "args"],
        "additionalProperties": False,
    }


def _instructions(tools: Iterable[_Tool], may_reply: bool) -> str:
    lines = ["Choose one tool and answer only with JSON.", "Tools:"]
    for name, description, parameters in tools:
        names = ", ".join(
            f"{key}: {_type(value)}" for key, value in parameters.get("properties", {}).items()
        )
        lines.append(f"- {name}({names}): {' '.join(description.split())}")
    if may_reply:
        lines.append(f"- {REPLY}(text: string): answer the user, when no other tool is needed")
    return "\n".join(lines)


def _examples(tools: Iterable[_Tool]) -> list[BaseMessage]:
    """Return one made-up turn for each tool whose schema has an example of what it requires."""
    turns: list[BaseMessage] = []
    for name, description, parameters in tools:
        properties = parameters.get("properties", {})
        values = {key: _example(properties[key]) for key in parameters.get("required", ())}
        if values and all(found is not None for found in values.values()):
            purpose = " ".join(description.split()).partition(". ")[0].rstrip(".") or name
            asked = ", ".join(f"{key} {value}" for key, value in values.items())
            turns.append(HumanMessage(f"{purpose}: {asked}"))
            turns.append(AIMessage(_written(name, values)))
    return turns


def _said(message: AIMessage, binding: Binding) -> list[BaseMessage]:
    if message.tool_calls:
        return [AIMessage(_written(call["name"], call["args"])) for call in message.tool_calls]
    if offers_tools(binding):
        return [AIMessage(_written(REPLY, {"text": message.text}))]
    return [AIMessage(message.text)]


def _written(tool: str, arguments: dict[str, Any]) -> str:
    return json.dumps({"call": {"tool": tool, "args": arguments}}, ensure_ascii=False)


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    kinds = [part.get("type", "") for part in schema.get("anyOf", ())] or [schema.get("type", "")]
    return " or ".join(str(kind) for kind in kinds if kind) or "any"


def _example(schema: dict[str, Any]) -> Any:
    for part in (schema, *schema.get("anyOf", ())):
        found = part.get("examples") or part.get("enum")
        if found:
            return found[0]
    return None


def _bounded(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bounded(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _bounded(value) for key, value in schema.items()}
    if "(?" in str(found.get("pattern", "")):
        del found["pattern"]  # a grammar knows no lookaround
    if found.get("type") == "string" and not {"enum", "const", "format", "pattern"} & set(found):
        found.setdefault("maxLength", _STRING)
    if found.get("type") == "array":
        found.setdefault("maxItems", _ITEMS)
    if found.get("type") == "object" and isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    return found
