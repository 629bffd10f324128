"""Arguments in, one canonical form out; results likewise. Pure, so that a workflow can do it.

Arguments are read as JSON and written as JSON, and must come out of a second reading unchanged:
what a reviewer saw, what the ledger keeps and what the tool is called with is the same.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import ErrorDetails, PydanticSerializationError, to_json

from interlock.canonical import jsonable
from interlock.errors import BadArguments, BadResult, NotSerializable
from interlock.tools.signature import misuse

_SHOWN = 80


def parse_arguments(model: type[BaseModel], tool: str, arguments: Any) -> BaseModel:
    """Return the typed arguments.

    Raises:
        BadArguments: they do not fit; the message names each wrong field and what is allowed.
    """
    if not isinstance(arguments, dict):
        raise BadArguments(
            f"{tool!r} takes one JSON object of named arguments: {_allowed(model)}. Got "
            f"{type(arguments).__name__}.",
            tool=tool,
        )
    try:
        return model.model_validate_json(_text(arguments, tool))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        lines = [_explain(item, model) for item in problems]
        raise BadArguments(
            f"the arguments of {tool!r} do not fit. {' '.join(lines)} Correct them and call again.",
            tool=tool,
            wrong=[".".join(map(str, item["loc"])) for item in problems],
        ) from error


def canonical_arguments(model: type[BaseModel], tool: str, arguments: Any) -> dict[str, Any]:
    """Return the arguments as canonical JSON data, defaults filled in.

    Raises:
        BadArguments: they do not fit the model.
        NotSerializable: a value changes when it is written and read again.
    """
    written = _write(parse_arguments(model, tool, arguments), tool)
    try:
        again = _write(parse_arguments(model, tool, written), tool)
    except BadArguments as error:
        raise _changes(tool) from error
    if again != written:
        raise _changes(tool)
    return written


class ResultForm:
    """The declared form of a tool's result."""

    def __init__(self, tool: str, annotation: Any) -> None:
        """Build the form from a return annotation.

        Raises:
            ConfigError: pydantic knows no JSON form of it.
        """
        self._tool = tool
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
            schema = self._adapter.json_schema(mode="serialization")
        except PydanticUserError as error:
            raise misuse(tool, f"its return annotation has no JSON form: {error}") from error
        self.schema: dict[str, Any] | None = schema or None
        """JSON schema, or None when any JSON value is allowed."""
        self.is_none = annotation is None or annotation is type(None)
        """Whether the tool returns nothing."""

    def write(self, value: Any) -> Any:
        """Check a value that the tool returned and return it as JSON data.

        Raises:
            BadResult: it does not fit, or has no JSON form.
        """
        try:
            checked = self._adapter.validate_python(value)
            written = jsonable(self._adapter.dump_python(checked, mode="json", warnings="error"))
            to_json(written)
        except (ValidationError, PydanticSerializationError, NotSerializable) as error:
            raise self._bad(error) from error
        return written

    def read(self, data: Any) -> Any:
        """Return JSON data as the annotated Python type.

        Raises:
            BadResult: it does not fit.
        """
        try:
            return self._adapter.validate_json(to_json(data))
        except (ValidationError, PydanticSerializationError) as error:
            raise self._bad(error) from error

    def _bad(self, error: Exception) -> BadResult:
        if isinstance(error, ValidationError):
            what = " ".join(_line(item) for item in error.errors(include_url=False))
        else:
            what = f"{error}."
        return BadResult(
            f"the result of {self._tool!r} does not fit its return annotation. {what} Correct the "
            "tool's implementation or its annotation.",
            tool=self._tool,
            wrong=what,
        )


def _text(arguments: dict[str, Any], tool: str) -> bytes:
    try:
        return to_json(jsonable(arguments))
    except NotSerializable as error:
        if not _is_plain(arguments):
            raise
        raise BadArguments(
            f"the arguments of {tool!r} hold half of a surrogate pair. Send valid Unicode text.",
            tool=tool,
        ) from error


def _is_plain(arguments: dict[str, Any]) -> bool:
    """Whether these are JSON data, so that only their text can be at fault."""
    try:
        json.dumps(arguments)
    except (TypeError, ValueError):
        return False
    return True


def _write(arguments: BaseModel, tool: str) -> dict[str, Any]:
    try:
        written: dict[str, Any] = jsonable(
            arguments.model_dump(mode="json", by_alias=True, warnings="error")
        )
    except PydanticSerializationError as error:
        raise NotSerializable(
            f"an argument of {tool!r} has no JSON form: {error}. Use JSON types or pydantic models.",
            tool=tool,
        ) from error
    return written


def _changes(tool: str) -> NotSerializable:
    return NotSerializable(
        f"an argument of {tool!r} is another value after it is written as JSON and read again, so "
        "it would not be the one that was decided on. Give its type one JSON form.",
        tool=tool,
    )


def _allowed(model: type[BaseModel]) -> str:
    return ", ".join(field.alias or name for name, field in model.model_fields.items()) or "none"


def _explain(item: ErrorDetails, model: type[BaseModel]) -> str:
    if item["type"] == "extra_forbidden" and len(item["loc"]) == 1:
        return f"{item['loc'][0]!r} is not an argument; allowed: {_allowed(model)}."
    if item["type"] == "missing":
        return f"{_place(item)!r} is missing."
    return _line(item)


def _line(item: ErrorDetails) -> str:
    got = repr(item["input"])
    shown = got if len(got) <= _SHOWN else f"{got[:_SHOWN]}..."
    return f"{_place(item)!r}: {item['msg']} (got {shown})."


def _place(item: ErrorDetails) -> str:
    return ".".join(map(str, item["loc"])) or "value"
