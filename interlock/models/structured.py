"""Answers in a shape: a schema goes out as JSON schema, the answer comes back checked.

Safe in a workflow: plain functions, no threads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.utils.function_calling import convert_to_json_schema
from pydantic import BaseModel, ValidationError

Schema = dict[str, Any] | type
"""A pydantic class, a TypedDict, a JSON schema with a title, or an OpenAI function."""


def json_schema_of(schema: Schema) -> dict[str, Any]:
    """Return `schema` as a JSON schema with a title."""
    found: dict[str, Any] = convert_to_json_schema(schema)
    return found


def response_format(schema: Schema) -> dict[str, Any]:
    """Return `schema` as the OpenAI wire format asks for it."""
    found = json_schema_of(schema)
    return {"type": "json_schema", "json_schema": {"name": found["title"], "schema": found}}


def parse(message: AIMessage, schema: Schema) -> Any:
    """Return the object of an answer: of its text or, if that is empty, of its first tool call.

    Raises:
        OutputParserException: the text is no JSON, or its JSON does not fit `schema`.
    """
    text = message.text.strip()
    data = _load(text) if text else _first_arguments(message.tool_calls)
    try:
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            return schema.model_validate(data)
        jsonschema.validate(data, json_schema_of(schema))
    except (ValidationError, jsonschema.ValidationError) as error:
        raise OutputParserException(
            f"The answer does not fit {_name(schema)!r}: {error}", llm_output=text
        ) from error
    return data


class StructuredModel(Runnable[LanguageModelInput, Any]):
    """A model whose answers are parsed into a shape, as `with_structured_output` promises."""

    def __init__(
        self,
        bound: Runnable[LanguageModelInput, AIMessage],
        schema: Schema,
        *,
        include_raw: bool = False,
    ) -> None:
        """Parse the answers of `bound`.

        Args:
            bound: A model that is already bound to the schema.
            schema: What its answers must fit.
            include_raw: Answer {'raw', 'parsed', 'parsing_error'} and raise nothing on a misfit.
        """
        self._bound = bound
        self._schema = schema
        self._include_raw = include_raw

    def invoke(
        self,
        input: LanguageModelInput,  # noqa: A002 - the name that Runnable gave it
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call the model and parse its answer."""
        return self._shape(self._bound.invoke(input, config, **kwargs))

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002 - the name that Runnable gave it
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call the model and parse its answer."""
        return self._shape(await self._bound.ainvoke(input, config, **kwargs))

    def _shape(self, message: AIMessage) -> Any:
        if not self._include_raw:
            return parse(message, self._schema)
        try:
            parsed = parse(message, self._schema)
        except OutputParserException as error:
            return {"raw": message, "parsed": None, "parsing_error": error}
        return {"raw": message, "parsed": parsed, "parsing_error": None}


def _load(text: str) -> Any:
    if text.startswith("```"):
        text = text.partition("\n")[2].rpartition("```")[0]
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise OutputParserException(f"The answer is no JSON: {error}", llm_output=text) from error


def _first_arguments(tool_calls: Sequence[Any]) -> Any:
    if not tool_calls:
        raise OutputParserException("The answer has neither text nor a tool call.", llm_output="")
    return tool_calls[0]["args"]


def _name(schema: Schema) -> str:
    return schema.__name__ if isinstance(schema, type) else str(schema.get("title", "schema"))
