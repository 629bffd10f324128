"""Arguments that the model reads out of a message under a schema, held against message and order.

What it says counts only when the customer wrote it: an amount must be in the message, and goods
must be named by the words that the model quotes. Where it does not hold, plain rules decide.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from agents.support.reading import (
    Line,
    lines_meant,
    money_in,
    names_line,
    numbers_in,
    pieces_meant,
)
from interlock.agents import model
from interlock.errors import ModelFileCorrupt, ModelMissing, ModelUnavailable

NO_MODEL = (ModelUnavailable, ModelMissing, ModelFileCorrupt)
"""The copilot goes on without a model: rules read the message, a template answers it."""

_INSTRUCTIONS = (
    "Copy what the customer wrote into the fields, word for word. Leave a field empty when the "
    "message does not say it."
)

_Shape = TypeVar("_Shape", bound=BaseModel)


class Wish(BaseModel):
    """What the customer wants to have paid back or sent again."""

    article: str = Field("", description="The article it is about.")
    pieces: int = Field(0, ge=0, le=20, description="How many of it; 0 when not said.")
    amount: str = Field("", max_length=10, description="Amount they ask for, as written; or empty.")
    quote: str = Field("", max_length=120, description="Their words that say so, copied.")


class NewAddress(BaseModel):
    """The address the customer wants an order sent to."""

    street: str = Field("", max_length=80, description="Street and house number, or empty.")
    postal_code: str = Field("", max_length=12, description="Postal code, or empty.")
    city: str = Field("", max_length=60, description="Town or city, or empty.")


async def extract_wish(order: dict[str, Any], said: str) -> Wish:
    """Let the model read what is to be paid back or sent again; it can only name goods of the order."""
    schema = Wish.model_json_schema()
    schema["properties"]["article"]["enum"] = [*(line["name"] for line in order["lines"]), ""]
    return await _extract(Wish, schema, said)


async def extract_address(said: str) -> NewAddress:
    """Let the model read the new address."""
    return await _extract(NewAddress, NewAddress.model_json_schema(), said)


def refund_amount(wish: Wish, order: dict[str, Any], said: str) -> Decimal:
    """Return what to pay back: the amount asked for, the price of the goods meant, or the total."""
    total = Decimal(order["total"])
    written = [amount for amount in money_in(said) if 0 < amount <= total]
    asked = [amount for amount in money_in(f"{wish.amount} EUR") if amount in written]
    if written:
        # Of several amounts that nobody tells apart, the one that costs least if it is wrong.
        return asked[0] if asked else min(written)
    goods = goods_meant(wish, order, said)
    pieces = sum(count for _, count in goods)
    if not goods or pieces == sum(line["quantity"] for line in order["lines"]):
        return total
    return sum((Decimal(line["unit_price"]) * count for line, count in goods), Decimal(0))


def goods_meant(wish: Wish, order: dict[str, Any], said: str) -> list[tuple[Line, int]]:
    """Return the lines of the order that the message is about, each with a number of pieces."""
    lines: list[Line] = order["lines"]
    quote = wish.quote.strip().lower()
    is_quoted = len(quote) > 3 and quote in said.lower()
    named = [line for line in lines if line["name"] == wish.article]
    if is_quoted and named and (len(lines) == 1 or names_line(named[0], lines, quote)):
        line = named[0]
        counted = 0 < wish.pieces <= line["quantity"] and wish.pieces in numbers_in(quote)
        return [(line, wish.pieces if counted else pieces_meant(line, said))]
    return [(line, pieces_meant(line, said)) for line in lines_meant(lines, said)]


async def _extract(shape: type[_Shape], schema: dict[str, Any], said: str) -> _Shape:
    schema["required"] = list(schema["properties"])
    prompt = [SystemMessage(_INSTRUCTIONS), HumanMessage(said)]
    try:
        return shape.model_validate(
            await model("fast").with_structured_output(schema).ainvoke(prompt)
        )
    except (OutputParserException, *NO_MODEL):
        return shape()
