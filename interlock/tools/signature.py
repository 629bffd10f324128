"""From a Python function to the arguments, the result and the description of a tool. Pure."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from interlock.errors import ConfigError
from interlock.tools.contract import ToolCall

CALL_PARAMETER = "call"
"""An implementation with a parameter of this name gets the `ToolCall`; no model sees it."""

_STRICT = ConfigDict(
    extra="forbid",
    allow_inf_nan=False,
    validate_default=True,
    validate_by_name=True,
    validate_by_alias=True,
    protected_namespaces=(),
)
_SECTION = re.compile(r"^(Args|Arguments|Returns|Raises|Yields|Examples?|Notes?):\s*$")
_ARGUMENT = re.compile(r"^(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")
_PURE_FACTORIES = (list, dict, tuple)


@dataclass(frozen=True)
class Signature:
    """What a function says of itself as a tool."""

    arguments_model: type[BaseModel]
    result: Any
    """The return annotation."""
    description: str


def misuse(name: str, why: str) -> ConfigError:
    """Return the error for a tool that is declared in a way that cannot work."""
    return ConfigError(f"tool {name!r}: {why}", tool=name)


def read_function(function: Callable[..., Any], name: str) -> Signature:
    """Read a function's parameters, return annotation and docstring.

    Raises:
        ConfigError: one of them is missing or cannot be shown to a model.
    """
    description, notes = _read_docstring(function, name)
    hints = _hints(function, name)
    fields = {
        parameter.name: _field(parameter, hints[parameter.name], notes.get(parameter.name))
        for parameter in inspect.signature(function).parameters.values()
        if _is_argument(parameter, hints, name)
    }
    try:
        model: type[BaseModel] = create_model(name, __config__=_STRICT, **fields)  # type: ignore[call-overload]
    except PydanticUserError as error:
        raise misuse(name, f"its parameters have no JSON schema: {error}") from error
    return Signature(check_model(model, name), hints["return"], description)


def read_stock_tool(stock: BaseTool, name: str) -> Signature:
    """Read the arguments and the description of a tool that was made for LangChain.

    Raises:
        ConfigError: its arguments are no pydantic model, or some are injected by LangGraph.
    """
    if not stock.description.strip():
        raise misuse(name, "it has no description for the model. Set `description` on it.")
    schema, shown = stock.args_schema, stock.tool_call_schema
    if not isinstance(schema, type) or not issubclass(schema, BaseModel):
        raise misuse(
            name, "its arguments are no pydantic model. Give it an `args_schema` that is one."
        )
    offered = getattr(shown, "model_fields", {})
    for field in schema.model_fields:
        if field not in offered:
            raise misuse(name, _injected(field))
    model = type(name, (schema,), {"model_config": _STRICT, "__module__": schema.__module__})
    return Signature(check_model(model, name), Any, stock.description)


def check_model(model: type[BaseModel], name: str) -> type[BaseModel]:
    """Return `model` if its values have one canonical form.

    Raises:
        ConfigError: it holds a set, or a default that differs from call to call.
    """
    for field_name, field in model.model_fields.items():
        if field.default_factory is not None and field.default_factory not in _PURE_FACTORIES:
            raise misuse(
                name,
                f"the default of {field_name!r} is made anew for each call, so a replay would call "
                "with another one. Give a plain default, or None.",
            )
    if _holds_set(model.model_json_schema()):
        raise misuse(
            name, "a set has no order, so equal calls would not look equal. Use a list instead."
        )
    return model


def _holds_set(schema: Any) -> bool:
    if isinstance(schema, dict):
        return schema.get("uniqueItems") is True or any(map(_holds_set, schema.values()))
    return isinstance(schema, list) and any(map(_holds_set, schema))


def _read_docstring(function: Callable[..., Any], name: str) -> tuple[str, dict[str, str]]:
    text = inspect.getdoc(function) if function.__doc__ else None
    if not text:
        raise misuse(name, "it has no docstring. Write one: the model reads it to choose the tool.")
    section = ""
    description: list[str] = []
    arguments: list[str] = []
    for line in text.splitlines():
        heading = _SECTION.match(line)
        section = heading[1] if heading else section
        if heading is None and not section:
            description.append(line)
        elif heading is None and section in ("Args", "Arguments"):
            arguments.append(line)
    return "\n".join(description).strip(), _read_arguments(arguments)


def _read_arguments(lines: list[str]) -> dict[str, str]:
    notes: dict[str, str] = {}
    current = ""
    for line in inspect.cleandoc("\n".join(lines)).splitlines():
        begins = _ARGUMENT.match(line)
        if begins:
            current = begins[1]
            notes[current] = begins[2]
        elif current:
            notes[current] = f"{notes[current]} {line.strip()}".strip()
    return notes


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise misuse(
            name,
            f"an annotation cannot be read: {error}. Import its type at the top of the module.",
        ) from error
    missing = [*inspect.signature(function).parameters, "return"]
    for wanted in missing:
        if wanted not in hints:
            what = "the return value" if wanted == "return" else f"{wanted!r}"
            raise misuse(name, f"{what} has no annotation. It makes the JSON schema: add one.")
    return hints


def _is_argument(parameter: inspect.Parameter, hints: dict[str, Any], tool: str) -> bool:
    name, hint = parameter.name, hints[parameter.name]
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
        raise misuse(tool, f"{stars}{name} takes any argument. Name each one, with its type.")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise misuse(tool, f"{name!r} is positional only; arguments are passed by keyword.")
    if name == CALL_PARAMETER:
        if hint is not ToolCall:
            raise misuse(
                tool, f"{name!r} is the name of the ToolCall; call the argument otherwise."
            )
        return False
    if name == "runtime" or _is_injected(hint):
        raise misuse(tool, _injected(name))
    if name.startswith("_") or hasattr(BaseModel, name):
        raise misuse(tool, f"pydantic cannot have a field {name!r}. Choose another name.")
    return True


def _injected(name: str) -> str:
    return (
        f"{name!r} would be injected by LangGraph, past validation and approval. Let the node pass "
        f"what is needed as an argument, or take {CALL_PARAMETER!r}: ToolCall."
    )


def _is_injected(hint: Any) -> bool:
    if typing.get_origin(hint) is Annotated:
        return any(_is_injected(part) for part in typing.get_args(hint))
    kind = hint if isinstance(hint, type) else type(hint)
    kind = typing.get_origin(hint) or kind
    return hint is RunnableConfig or (
        isinstance(kind, type)
        and (issubclass(kind, InjectedToolArg) or kind.__name__ == "ToolRuntime")
    )


def _field(parameter: inspect.Parameter, hint: Any, note: str | None) -> tuple[Any, Any]:
    default = ... if parameter.default is parameter.empty else parameter.default
    if not note or (isinstance(default, FieldInfo) and default.description):
        return hint, default
    described = Field(description=note)
    if typing.get_origin(hint) is Annotated:
        inner, *extras = typing.get_args(hint)
        # What the annotation says comes later and so wins over the docstring.
        return Annotated[(inner, described, *extras)], default
    return Annotated[hint, described], default
