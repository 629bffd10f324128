"""Arguments as typed fields of conditions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from interlock.approvals import Facts
from interlock.approvals.argument_types import field_types, field_values, number_at
from interlock.approvals.conditions import ConditionFailed, Fields
from interlock.context import CallContext
from interlock.tools import Effect, Risk, tool


class Address(BaseModel):
    """Where to."""

    city: str
    floor: int | None = None


class Tree(BaseModel):
    """A type that holds itself."""

    name: str
    below: list[Tree] = []


@tool(effect=Effect.READ)
async def everything(
    address: Address,
    amount: Decimal,
    tags: list[str],
    prices: dict[str, Decimal],
    tree: Tree,
    maybe: Decimal | None = None,
    count: int = 1,
    weight: float = 1.5,
    fast: bool = False,
    either: int | str = 0,
    second: Address | None = None,
) -> str:
    """Take everything."""
    return ""


ARGUMENTS = {
    "address": {"city": "Kiel"},
    "amount": "89.90",
    "tags": ["new"],
    "prices": {"lamp": "19.90"},
    "tree": {"name": "t", "below": [{"name": "u"}]},
}


def values(**more: Any) -> dict[str, Any]:
    """What a condition reads."""
    arguments = everything.validate_arguments({**ARGUMENTS, **more})
    facts = Facts(context=CallContext(agent="a"))
    return Fields(everything.contract, {}).values(arguments, Risk.LOW, facts)


def test_each_field_has_the_type_of_the_schema() -> None:
    """An object with known properties is its fields; what may be null or several types is dyn."""
    assert field_types(everything.contract.parameters) == {
        "args.address.city": "string",
        "args.address.floor": "dyn",
        "args.amount": "double",
        "args.tags": "list(string)",
        "args.prices": "map(string, double)",
        "args.tree.name": "string",
        "args.tree.below": "list(map(string, dyn))",
        "args.maybe": "dyn",
        "args.count": "int",
        "args.weight": "double",
        "args.fast": "bool",
        "args.either": "dyn",
        "args.second": "dyn",
    }


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"properties": {"a b": {}, "c": {}}}])
def test_a_schema_that_says_little_gives_little(schema: dict[str, Any]) -> None:
    """Names that CEL cannot say are left out; a type that is not there is any."""
    assert field_types(schema) == ({"args.c": "dyn"} if schema.get("properties") else {})


@pytest.mark.parametrize(
    "condition",
    [
        "args.amount == 89.9",
        "args.amount > 89 && args.amount < 90",
        "args.address.city == 'Kiel' && args.address.floor == null",
        "'new' in args.tags && args.tags.exists(t, t.startsWith('n'))",
        "args.prices['lamp'] == 19.9",
        "args.tree.below[0].name == 'u'",
        "args.maybe == null && !args.fast && args.either == 0",
        "args.count < 1.5 && args.weight >= 1",
        "args.second == null",
    ],
)
def test_conditions_read_every_kind(condition: str) -> None:
    """Decimals compare as numbers, whole numbers with decimal ones too."""
    assert Fields(everything.contract, {}).compile(condition).holds(values())


@pytest.mark.parametrize(
    "condition", ["args.maybe > 3", "args.count / 0 > 1", "args.second.city == ''"]
)
def test_a_condition_without_an_answer_says_so(condition: str) -> None:
    """It is neither true nor false."""
    with pytest.raises(ConditionFailed):
        Fields(everything.contract, {}).compile(condition).holds(values())


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int", "3"), ("int", True), ("string", 3), ("double", "nan"), ("double", None), ("bool", 1)],
)
def test_what_a_type_cannot_hold_has_no_value(kind: str, value: Any) -> None:
    """And is not taken for something near it."""
    assert field_values({"args.a": kind}, {"a": value}) == {}
    assert field_values({"args.a": kind}, {}) == {}


def test_numbers_are_read_exactly() -> None:
    """A total adds what was asked for, to the cent."""
    read = [number_at({"a": {"b": value}}, ("a", "b")) for value in ("0.10", 0.1, 3)]
    assert read == [Decimal("0.10"), Decimal("0.1"), Decimal(3)]
    for value in (None, "x", True, "Infinity", [1]):
        with pytest.raises(ValueError, match=r"'a\.b' holds no number"):
            number_at({"a": {"b": value}}, ("a", "b"))
