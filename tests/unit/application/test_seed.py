"""The CRM's sample data: the same every time, whole, and with the case of the demo."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tools.service.catalogue import shipping_cents
from tools.service.seed import CUSTOMERS, FIRST_ORDER, LAST_ORDER, build
from tools.service.tables import CustomerRow, ParcelRow, PastRefundRow

if TYPE_CHECKING:
    from tests.unit.application.conftest import Crm


def _plain(rows: object) -> list[dict[str, object]]:
    return [row.model_dump() for row in rows]  # type: ignore[attr-defined]


def test_the_same_day_gives_the_same_rows(crm: Crm) -> None:
    """Seeding is a function of the day alone."""
    placed = crm.orders["A-1042"].placed_on
    today = placed + timedelta(days=9)
    assert _plain(build(today)) == _plain(crm.rows)


def test_another_day_moves_dates_and_nothing_else(crm: Crm) -> None:
    """Totals, states and addresses do not depend on the day."""
    later = build(crm.orders["A-1042"].placed_on + timedelta(days=100))
    dates = {"placed_on", "dispatched_on", "delivered_on", "customer_since", "refunded_on"}
    assert [row.model_dump(exclude=dates) for row in later] == [
        row.model_dump(exclude=dates) for row in crm.rows
    ]


def test_numbers_are_complete_and_mail_addresses_differ(crm: Crm) -> None:
    """There are 40 customers and 120 orders without gaps, and nobody shares a mail address."""
    customers = crm.of(CustomerRow)
    assert [row.id for row in customers] == [f"C-{n:04d}" for n in range(1, CUSTOMERS + 1)]
    assert len({row.email for row in customers}) == CUSTOMERS
    assert all(row.email.endswith(".example") for row in customers)
    assert list(crm.orders) == [f"A-{n:04d}" for n in range(FIRST_ORDER, LAST_ORDER + 1)]
    assert all(crm.lines.values())


def test_parcels_fit_the_state_of_their_orders(crm: Crm) -> None:
    """What was sent has a parcel with dates in order, and nothing else has one."""
    parcels = {row.order_id: row for row in crm.of(ParcelRow)}
    for order_id, order in crm.orders.items():
        parcel = parcels.get(order_id)
        assert (parcel is None) == (order.status in ("processing", "cancelled")), order_id
        if parcel is not None:
            assert order.placed_on <= parcel.dispatched_on
            assert (parcel.delivered_on is None) == (order.status == "dispatched"), order_id
            assert parcel.delivered_on is None or parcel.dispatched_on < parcel.delivered_on


def test_shipping_is_charged_by_the_rules(crm: Crm) -> None:
    """Every order pays what its country, its goods and the customer's tier say."""
    tiers = {row.id: row.club_tier for row in crm.of(CustomerRow)}
    for order_id, order in crm.orders.items():
        goods = crm.total_cents(order_id) - order.shipping_cents
        due = shipping_cents(order.country, goods, tiers[order.customer_id])
        assert order.shipping_cents == due, order_id


def test_refunds_on_record_are_covered_by_their_orders(crm: Crm) -> None:
    """No earlier refund is larger than its order, and cancelled and returned orders have one."""
    refunds = {row.order_id: row.amount_cents for row in crm.of(PastRefundRow)}
    assert all(cents <= crm.total_cents(order_id) for order_id, cents in refunds.items())
    settled = {o.id for o in crm.orders.values() if o.status in ("cancelled", "returned")}
    assert settled <= set(refunds)


def test_the_order_of_the_demo_is_there(crm: Crm) -> None:
    """A-1042 is Maya Lindqvist's lamp for 89 EUR by card; she has two earlier orders, one refund."""
    order = crm.orders["A-1042"]
    people = {row.id: row.name for row in crm.of(CustomerRow)}
    assert people[order.customer_id] == "Maya Lindqvist"
    assert [(line.name, line.quantity) for line in crm.lines["A-1042"]] == [
        ("'Fjord' ceramic lamp", 1)
    ]
    assert (crm.total_cents("A-1042"), order.payment_method, order.status) == (
        8900,
        "card",
        "delivered",
    )
    hers = [o.id for o in crm.orders.values() if o.customer_id == order.customer_id]
    assert hers == ["A-0972", "A-1003", "A-1042"]
    refunds = [row.amount_cents for row in crm.of(PastRefundRow) if row.order_id in hers]
    assert refunds == [490]
