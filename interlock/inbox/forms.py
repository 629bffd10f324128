"""A form for the arguments of a tool, made from its JSON schema, and the way back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from interlock.errors import BadInput
from interlock.inbox.masking import masked

PREFIX = "arg."
_LONG = 60
_DEEPEST = 5

Widget = Literal["line", "text", "number", "choice", "json"]


class Option(BaseModel):
    """One value of a choice."""

    model_config = ConfigDict(frozen=True)

    value: str
    label: str
    chosen: bool


class FormField(BaseModel):
    """One argument that a reviewer may change."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Of the form's field: 'arg.' and the path to the argument, with dots."""
    label: str
    hint: str
    widget: Widget
    value: str
    required: bool
    options: tuple[Option, ...] = ()
    minimum: str = ""
    maximum: str = ""
    step: str = "any"


def fields(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[FormField]:
    """Return the fields of a form for a tool's arguments, filled with what the agent chose."""
    return [field for _, _, field in _walk(schema, arguments)]


def is_plain(field: FormField) -> bool:
    """Whether nothing of a field's value would be masked."""
    value = json.loads(field.value) if field.widget == "json" and field.value else field.value
    return bool(masked(value, field.label) == value)


def filled(found: list[FormField], form: Mapping[str, Any]) -> list[FormField]:
    """Return fields with the values that were sent: nobody types them again after a mistake."""
    return [
        field.model_copy(
            update={
                "value": str(form[field.name]),
                "options": tuple(
                    option.model_copy(update={"chosen": option.value == form[field.name]})
                    for option in field.options
                ),
            }
        )
        if field.name in form
        else field
        for field in found
    ]


def read(
    schema: Mapping[str, Any], arguments: Mapping[str, Any], form: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the complete new arguments that a form was sent with.

    Args:
        schema: JSON schema of the arguments.
        arguments: What the agent chose; an argument without a field stays as it is.
        form: What was sent, by field name.

    Raises:
        BadInput: a value is not of its kind.
    """
    made: dict[str, Any] = json.loads(json.dumps(dict(arguments)))
    for path, old, field in _walk(schema, arguments):
        if field.name not in form:
            continue
        text = str(form[field.name]).replace("\r\n", "\n")
        if text == field.value.replace("\r\n", "\n"):
            continue
        _put(made, path, _value(field, old, text))
    return made


def answer(schema: Mapping[str, Any] | None, text: str) -> Any:
    """Return what was written in the place of a result: JSON where it is some, or else the text.

    Args:
        schema: JSON schema of the result; one of a text is never read as JSON.
        text: What was written.
    """
    if schema is None or schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


Found = tuple[tuple[str, ...], Any, FormField]


def _walk(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Found]:
    return _inside(schema, schema, arguments, ())


def _inside(
    root: Mapping[str, Any],
    schema: Mapping[str, Any],
    values: Mapping[str, Any],
    path: tuple[str, ...],
) -> list[Found]:
    found: list[Found] = []
    known = schema.get("properties", {})
    required = schema.get("required", ())
    for name in dict.fromkeys([*known, *values]):
        part = _resolved(root, known.get(name, {}))
        value, here = values.get(name), (*path, name)
        if "properties" in part and isinstance(value, Mapping) and len(here) < _DEEPEST:
            found += _inside(root, part, value, here)
        else:
            found.append((here, value, _field(here, part, value, name in required)))
    return found


def _resolved(root: Mapping[str, Any], part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a schema with its reference followed, and what may be null without that."""
    found = dict(part)
    while "$ref" in found:
        reference = str(found.pop("$ref"))
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target.get(step, {})
        found = {**target, **found}
    choices = [item for item in found.get("anyOf", ()) if item.get("type") != "null"]
    if len(choices) == 1:
        rest = {key: value for key, value in found.items() if key != "anyOf"}
        return _resolved(root, {**choices[0], **rest})
    return found


def _field(path: tuple[str, ...], part: Mapping[str, Any], value: Any, required: bool) -> FormField:
    widget = _widget(part, value)
    whole = part.get("type") == "integer"
    return FormField(
        name=PREFIX + ".".join(path),
        label=".".join(path),
        hint=str(part.get("description", "")),
        widget=widget,
        value=_shown(value),
        required=required,
        options=_options(part, value) if widget == "choice" else (),
        minimum=str(part.get("minimum", "")),
        maximum=str(part.get("maximum", "")),
        step="1" if whole else "any",
    )


def _widget(part: Mapping[str, Any], value: Any) -> Widget:
    if "enum" in part or part.get("type") == "boolean" or isinstance(value, bool):
        return "choice"
    if isinstance(value, str) or (value is None and part.get("type") == "string"):
        return "text" if len(value or "") > _LONG or "\n" in (value or "") else "line"
    if part.get("type") in ("integer", "number") and isinstance(value, int | float | None):
        return "number"
    return "json"


def _options(part: Mapping[str, Any], value: Any) -> tuple[Option, ...]:
    values = list(part.get("enum", (True, False)))
    if value not in values:
        values.insert(0, value)
    return tuple(
        Option(value=_shown(item), label=_shown(item) or "(nothing)", chosen=item == value)
        for item in values
    )


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _value(field: FormField, old: Any, text: str) -> Any:
    if field.widget in ("line", "text"):
        return text
    if field.widget == "choice" and (isinstance(old, str) or not text):
        return text or None
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if field.widget == "choice":
            return text
        raise BadInput(f"{field.label!r} is no JSON value: {error}.") from error


def _put(made: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        made = made[name]
    made[path[-1]] = value
