"""The labelled data: enough of it, apart from the examples, and consistent with the CRM, tools and documents."""

from __future__ import annotations

import re
from decimal import Decimal
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

import pytest

from memory.intents import SEEDS
from tools.contracts import TOOLS
from tools.service.tables import CustomerRow, ProductRow

if TYPE_CHECKING:
    from tests.unit.application.conftest import Crm

Messages = list[dict[str, Any]]
_REQUIRED = {"id", "customer_id", "text", "intent", "order_id", "action", "documents"}
_OPTIONAL = {"arguments", "unknown_order"}
_TOOLS = {
    "refund": "refund",
    "replacement": "replacement_order",
    "address_change": "address_change",
}
_NEAR = 0.8


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _near(one: str, other: str) -> bool:
    return SequenceMatcher(None, _words(one), _words(other)).ratio() >= _NEAR


def test_examples_are_enough_and_different(intents: dict[str, list[str]]) -> None:
    """Ten intents have at least eight examples each, and no two examples are near-equal."""
    assert len(intents) == 10
    assert {name: len(examples) for name, examples in intents.items() if len(examples) < 8} == {}
    everything = [text for examples in intents.values() for text in examples]
    pairs = [
        (one, other)
        for place, one in enumerate(everything)
        for other in everything[place + 1 :]
        if _near(one, other)
    ]
    assert pairs == []


def test_examples_are_what_ingest_remembers(intents: dict[str, list[str]]) -> None:
    """Every example becomes one remembered item with its intent."""
    remembered = {(seed.value["intent"], seed.value["example"]) for seed in SEEDS if seed.value}
    assert remembered == {(name, text) for name, texts in intents.items() for text in texts}
    assert len({seed.key for seed in SEEDS}) == len(remembered)


def test_messages_are_enough_for_every_intent(
    messages: Messages, intents: dict[str, list[str]]
) -> None:
    """There are at least 72 messages, with ids of their own, and six or more of each intent."""
    assert len(messages) >= 72
    assert len({message["id"] for message in messages}) == len(messages)
    counts = {name: sum(m["intent"] == name for m in messages) for name in intents}
    assert sum(counts.values()) == len(messages), "an intent that intents.yaml does not have"
    assert min(counts.values()) >= 6, counts


def test_messages_have_the_documented_fields(messages: Messages) -> None:
    """Every message has the fields of the file's header, and arguments go with a tool call."""
    for message in messages:
        fields = set(message)
        assert fields >= _REQUIRED, message["id"]
        assert fields <= _REQUIRED | _OPTIONAL, message["id"]
        assert message["action"] in {*_TOOLS, "reply", "escalate"}, message["id"]
        assert ("arguments" in message) == (message["action"] in _TOOLS), message["id"]


def test_no_message_is_an_example_in_other_words(
    messages: Messages, intents: dict[str, list[str]]
) -> None:
    """The messages stand apart: none is equal or near-equal to an example or to another one."""
    examples = [text for found in intents.values() for text in found]
    texts = [message["text"] for message in messages]
    for place, text in enumerate(texts):
        near = [other for other in examples + texts[:place] if _near(text, other)]
        if len(_words(text)) > 1:
            assert near == [], text


def test_orders_of_messages_are_in_the_crm(messages: Messages, crm: Crm) -> None:
    """An order number is in the text and in the CRM, unless the label says that it is unknown."""
    customers = {row.id for row in crm.of(CustomerRow)}
    for message in messages:
        order_id = message["order_id"]
        assert re.findall(r"A-\d{4}", message["text"]) == ([order_id] if order_id else []), message
        if order_id:
            assert (order_id in crm.orders) != message.get("unknown_order", False), message["id"]
        assert message["customer_id"] is None or message["customer_id"] in customers


def test_expected_calls_fit_the_contracts(messages: Messages) -> None:
    """With a reason added, the expected arguments are what the tool takes, in canonical form."""
    tools = {tool.name: tool for tool in TOOLS}
    for message in messages:
        if message["action"] not in _TOOLS:
            continue
        tool = tools[_TOOLS[message["action"]]]
        wanted = dict(message["arguments"])
        if "reason" in tool.arguments_model.model_fields:
            wanted["reason"] = "Labelled"
        assert tool.validate_arguments(wanted) == wanted, message["id"]
        assert message["intent"] == message["action"], message["id"]
        assert wanted["order_id"] == message["order_id"], message["id"]


def test_expected_calls_are_for_the_customer_who_writes(messages: Messages, crm: Crm) -> None:
    """Nobody gets an action on somebody else's order."""
    for message in messages:
        if message["action"] in _TOOLS:
            assert crm.orders[message["order_id"]].customer_id == message["customer_id"]


def test_expected_refunds_are_amounts_the_order_explains(messages: Messages, crm: Crm) -> None:
    """An amount is stated in the message, or is an item's price, or the order's total."""
    for message in _with_action(messages, "refund"):
        order_id, amount = message["order_id"], Decimal(message["arguments"]["amount"])
        cents = int(amount * 100)
        prices = {line.unit_cents * line.quantity for line in crm.lines[order_id]}
        text = message["text"].replace(",", ".")
        stated = {Decimal(found) for found in re.findall(r"(?<![-\d])\d+(?:\.\d+)?", text)}
        assert amount in stated or cents in prices | {crm.total_cents(order_id)}, message["id"]
        assert cents <= crm.total_cents(order_id)
        assert crm.orders[order_id].status in ("delivered", "dispatched")


def test_expected_replacements_are_of_the_order_and_in_stock(messages: Messages, crm: Crm) -> None:
    """The article was bought in that number, was sent, and is there to be sent again."""
    stock = {row.sku: row.stock for row in crm.of(ProductRow)}
    for message in _with_action(messages, "replacement"):
        sku, quantity = message["arguments"]["sku"], message["arguments"]["quantity"]
        bought = {line.sku: line.quantity for line in crm.lines[message["order_id"]]}
        assert quantity <= bought[sku], message["id"]
        assert quantity <= stock[sku], message["id"]
        assert crm.orders[message["order_id"]].status in ("delivered", "dispatched")


def test_expected_addresses_are_in_the_message(messages: Messages, crm: Crm) -> None:
    """Street, postal code and city are copied from the text, and the order can still be changed."""
    for message in _with_action(messages, "address_change"):
        for part in ("street", "postal_code", "city"):
            assert message["arguments"][part] in message["text"], message["id"]
        assert crm.orders[message["order_id"]].status == "processing", message["id"]


@pytest.mark.parametrize("action", [*_TOOLS, "reply", "escalate"])
def test_expected_documents_exist(
    messages: Messages, documents: dict[str, tuple[dict[str, Any], str]], action: str
) -> None:
    """Documents of a label are there; only talk that needs no source has none."""
    for message in _with_action(messages, action):
        assert set(message["documents"]) <= set(documents), message["id"]
        assert message["documents"] or message["intent"] == "other", message["id"]


def _with_action(messages: Messages, action: str) -> Messages:
    found = [message for message in messages if message["action"] == action]
    assert len(found) >= 8, f"{action} is tried too rarely"
    return found
