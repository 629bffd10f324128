"""The amount of a call: the argument that its tool names, wherever it is and however it is written."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from interlock.errors import ConfigError
from interlock.tools import Effect, Tool, tool
from interlock.tools.amounts import amount_of


class Line(BaseModel):
    """One line of an order."""

    price: Annotated[Decimal, Field(ge=0)]
    pieces: int | None = None
    note: str = ""


def buys(amount: str = "", **terms: Any) -> Tool:
    """A tool whose amount is somewhere in its arguments."""

    @tool(effect=Effect.EXTERNAL, amount=amount, **terms)
    async def buy(line: Line, total: float = 0.0) -> str:
        """Buy something."""
        return "bought"

    return buy


@pytest.mark.parametrize(
    ("path", "arguments", "amount"),
    [
        ("", {"line": {"price": "40.00"}}, None),
        ("line.price", {"line": {"price": "40.00"}}, Decimal("40.00")),
        ("line.pieces", {"line": {"price": "1", "pieces": 3}}, Decimal(3)),
        ("line.pieces", {"line": {"price": "1", "pieces": None}}, None),
        ("total", {"line": {"price": "1"}, "total": 12.5}, Decimal("12.5")),
        ("total", {}, None),
        ("total", {"total": "NaN"}, None),
        ("total", {"total": "much"}, None),
        ("total", {"total": True}, None),
        ("line.price", {"line": "none"}, None),
    ],
)
def test_the_amount_of_a_call(path: str, arguments: dict[str, Any], amount: Decimal | None) -> None:
    """It is a number that is there, or none."""
    assert amount_of(buys(path).contract, arguments) == amount


@pytest.mark.parametrize(
    "path", ["line", "line.note", "line.cost", "cost", "line.price.cents", "."]
)
def test_an_amount_that_is_no_number_is_refused(path: str) -> None:
    """Where the tool is made, and not when somebody has to decide."""
    with pytest.raises(ConfigError, match="no argument that is a number"):
        buys(path)


def test_nothing_is_undone_that_changes_nothing() -> None:
    """A tool that reads has no way back, since it went nowhere."""
    assert buys(undo="Send it back.").contract.undo == "Send it back."
    with pytest.raises(ConfigError, match="nothing to undo"):

        @tool(effect=Effect.READ, undo="Forget it.")
        async def look() -> str:
            """Look."""
            return "seen"


def test_a_tool_without_them_has_the_version_that_it_had() -> None:
    """Runs of before go on: the version of their tools is part of their release."""
    fields = buys().contract.model_dump(mode="json")
    assert not {"amount", "undo"} & set(fields)
    assert buys("total").contract.version != buys().contract.version
