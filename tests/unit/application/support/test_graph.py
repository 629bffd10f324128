"""Which node follows, what a reviewer reads, and what the graph takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agents.support.acting import reason_for
from agents.support.graph import after_action, route, support
from interlock.errors import BadInput

if TYPE_CHECKING:
    from tests.unit.application.support.articles import Maker


@pytest.mark.parametrize(
    ("changes", "node"),
    [
        ({}, "act_refund"),
        ({"wishes": []}, "act_refund"),
        ({"wishes": [], "order_id": ""}, "draft"),
        ({"order_id": "", "order": {}}, "act_refund"),
        ({"concern": "somebody else's"}, "hand_over"),
        ({"intent": "replacement"}, "act_replacement"),
        ({"intent": "address_change"}, "draft"),
        ({"intent": "address_change", "wishes": ["address_change"]}, "act_address_change"),
        ({"intent": "address_change", "said": "to Weg 3, 8010 Graz"}, "act_address_change"),
        ({"intent": "cancellation"}, "hand_over"),
        ({"intent": "complaint_or_human"}, "hand_over"),
        ({"intent": "account"}, "draft"),
    ],
)
def test_the_intent_and_what_is_known_choose_the_node(
    make: Maker, changes: dict[str, Any], node: str
) -> None:
    """A message that only resembles a wish, and names nothing it needs, is answered."""
    assert route(make.state(**changes)) == node


@pytest.mark.parametrize(
    ("outcome", "node"),
    [("done", "draft"), ("rejected", "draft"), ("needs_details", "draft"), ("failed", "hand_over")],
)
def test_what_failed_goes_to_a_person(make: Maker, outcome: str, node: str) -> None:
    """Everything else can be told to the customer."""
    assert after_action(make.state(done=make.done(outcome))) == node
    assert after_action(make.state()) == "hand_over"


def test_a_reviewer_reads_the_order_and_the_customers_words(make: Maker) -> None:
    """In one line that fits the tool, and says when nobody has checked who writes."""
    reason = reason_for(make.state("The shade\nis torn."))
    assert reason == "Order of 121.90 EUR, delivered 2026-02-20. Customer: The shade is torn."
    unchecked = reason_for(make.state("Hello " * 100, customer_id=""))
    assert "Writer, not checked to be the customer: Hello" in unchecked
    assert len(unchecked) == 300


def test_the_input_is_messages_and_who_writes() -> None:
    """The rest of the state is the graph's own."""
    read = support.read_input({"messages": ["hi"], "customer_id": "C-0007"})
    assert read["messages"][0].text == "hi"
    with pytest.raises(BadInput, match="does not take 'done'"):
        support.read_input({"messages": ["hi"], "done": {}})
    with pytest.raises(BadInput, match="customer_id"):
        support.read_input({"messages": ["hi"], "customer_id": 7})
