"""A form has the arguments that the agent chose, and what comes back is all of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from interlock.errors import BadInput
from interlock.inbox import forms


class Item(BaseModel):
    sku: str
    count: int = Field(ge=1, le=9)


class Order(BaseModel):
    """Every kind of argument."""

    number: str
    total: Decimal
    weight: float
    express: bool
    way: Literal["post", "courier"]
    first: Item
    items: list[Item]
    note: str | None = None


SCHEMA = Order.model_json_schema()
ARGUMENTS: dict[str, Any] = {
    "number": "o-1",
    "total": "10.50",
    "weight": 1.5,
    "express": False,
    "way": "post",
    "first": {"sku": "lamp", "count": 2},
    "items": [{"sku": "lamp", "count": 2}],
    "note": None,
}
NAMES = ("number", "total", "weight", "express", "way", "first.sku", "first.count", "items", "note")


def _sent(**changes: str) -> dict[str, str]:
    """What a browser sends: every field, with some changed."""
    shown = {field.name: field.value for field in forms.fields(SCHEMA, ARGUMENTS)}
    return {**shown, **{f"arg.{name.replace('__', '.')}": text for name, text in changes.items()}}


def test_every_argument_has_its_field() -> None:
    """Nested objects have a field for each part, with the limits of the schema."""
    found = {field.label: field for field in forms.fields(SCHEMA, ARGUMENTS)}
    assert tuple(found) == NAMES
    assert {label: field.widget for label, field in found.items()} == {
        "number": "line",
        "total": "line",
        "weight": "number",
        "express": "choice",
        "way": "choice",
        "first.sku": "line",
        "first.count": "number",
        "items": "json",
        "note": "line",
    }
    count = found["first.count"]
    assert (count.minimum, count.maximum, count.step) == ("1", "9", "1")
    assert [(o.value, o.chosen) for o in found["express"].options] == [
        ("true", False),
        ("false", True),
    ]
    assert found["number"].required
    assert not found["note"].required


def test_a_form_that_was_not_changed_changes_nothing() -> None:
    """Types, nulls and lists survive the way there and back."""
    assert forms.read(SCHEMA, ARGUMENTS, _sent()) == ARGUMENTS
    assert forms.read(SCHEMA, ARGUMENTS, {}) == ARGUMENTS


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ({"number": "12"}, "12"),
        ({"total": "9.90"}, "9.90"),
        ({"weight": "2"}, 2),
        ({"express": "true"}, True),
        ({"way": "courier"}, "courier"),
        ({"items": '[{"sku": "shade", "count": 1}]'}, [{"sku": "shade", "count": 1}]),
        ({"note": "by noon"}, "by noon"),
    ],
)
def test_a_changed_field_keeps_its_type(change: dict[str, str], value: Any) -> None:
    """A text that looks like a number stays a text; a number becomes one."""
    (name,) = change
    made = forms.read(SCHEMA, ARGUMENTS, _sent(**change))
    assert made == {**ARGUMENTS, name: value}
    assert type(made[name]) is type(value)
    Order.model_validate(made)


def test_a_part_of_an_object_is_changed_in_its_place() -> None:
    """Its neighbours stay, and the agent's own arguments are not touched."""
    made = forms.read(SCHEMA, ARGUMENTS, _sent(first__count="5"))
    assert made["first"] == {"sku": "lamp", "count": 5}
    assert ARGUMENTS["first"] == {"sku": "lamp", "count": 2}


def test_text_that_is_no_json_is_named() -> None:
    """The message says which field."""
    for text in ("[1,", "[" * 5000):
        with pytest.raises(BadInput, match="items"):
            forms.read(SCHEMA, ARGUMENTS, _sent(items=text))


def test_arguments_without_a_schema_have_fields_too() -> None:
    """By their values alone."""
    found = forms.fields({}, {"a": "text", "b": 1, "c": {"d": True}, "e": "x" * 80})
    assert [(f.label, f.widget) for f in found] == [
        ("a", "line"),
        ("b", "json"),
        ("c", "json"),
        ("e", "text"),
    ]


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "object"}, '{"paid": 0}', {"paid": 0}),
        ({"$ref": "#/$defs/Receipt"}, '{"paid": 0}', {"paid": 0}),
        ({"type": "object"}, "Paid by hand.", "Paid by hand."),
        ({"type": "integer"}, "12", 12),
        ({"type": "string"}, "12", "12"),
        (None, "12", "12"),
    ],
)
def test_an_answer_is_json_where_the_tool_returns_some(
    schema: dict[str, Any] | None, text: str, value: Any
) -> None:
    """Words stay words: a model reads them."""
    assert forms.answer(schema, text) == value
