"""The tools of Harbour Lane as contracts: arguments, results, effects and risks.

Bodies are empty on purpose. `runs` and `reconcile` name the implementation, which the worker loads
when a tool is first called, so that a replay needs neither the CRM nor an HTTP client.
"""
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

from interlock.tools import Breaker, Effect, Risk, tool
from tools.results import AddressChange, Customer, Order, Refund, Replacement, SentReply

LOW_REFUND = Decimal(20)
"""Refunds up to this many EUR are of low risk."""
MEDIUM_REFUND = Decimal(50)
"""Refunds up to this many EUR are of medium risk, larger ones of high risk."""

CRM = "crm"
"""The database of customers and orders, as a dependency that a circuit breaker watches."""
PAYMENTS = "payments"
"""The payment service, as another."""
PAYMENTS_BREAKER = Breaker(window_seconds=120, min_calls=5)
"""Refunds are few: five within two minutes tell enough."""


def _cents(amount: Decimal) -> Decimal:
    """Write 89 as 89.00: equal money is the same action to a reviewer and to the ledger."""
    return amount.quantize(Decimal("0.01"))


OrderId = Annotated[
    str, Field(pattern=r"^A-\d{4}$", description="Order number, for example A-1042.")
]
CustomerId = Annotated[
    str, Field(pattern=r"^C-\d{4}$", description="Customer number, for example C-0007.")
]
CustomerKey = Annotated[
    str,
    Field(
        pattern=r"^(C-\d{4}|[^@\s]+@[^@\s]+\.[^@\s]+)$",
        description="Customer number, for example C-0007, or the e-mail address of the account.",
    ),
]
Euros = Annotated[
    Decimal,
    Field(gt=0, le=2000, decimal_places=2, description="EUR, for example 89.00."),
    AfterValidator(_cents),
]
Reason = Annotated[
    str, Field(min_length=3, max_length=300, description="Why, in one sentence a reviewer can use.")
]
Sku = Annotated[
    str,
    Field(
        pattern=r"^HL-[A-Z]+-[A-Z0-9-]+$",
        description="Article number as in the order, for example HL-LAMP-FJORD.",
    ),
]
Quantity = Annotated[int, Field(ge=1, le=20, description="How many pieces.")]


def risk_of_refund(*, amount: Decimal, **_: object) -> Risk:
    """Grow with the amount: low, medium above 20 EUR, high above 50 EUR."""
    if amount <= LOW_REFUND:
        return Risk.LOW
    return Risk.MEDIUM if amount <= MEDIUM_REFUND else Risk.HIGH


@tool(
    effect=Effect.READ,
    local=True,
    timeout_seconds=5,
    dependency=CRM,
    runs="tools.service.crm:customer_lookup",
)
async def customer_lookup(customer: CustomerKey) -> Customer:
    """Read a customer's history: orders, club tier and earlier refunds."""


@tool(
    effect=Effect.READ,
    local=True,
    timeout_seconds=5,
    dependency=CRM,
    runs="tools.service.crm:order_lookup",
)
async def order_lookup(order_id: OrderId) -> Order:
    """Read one order: status, dates, goods, prices, parcel and delivery address."""


@tool(
    effect=Effect.EXTERNAL,
    risk=risk_of_refund,
    timeout_seconds=10,
    attempts=3,
    dependency=PAYMENTS,
    breaker=PAYMENTS_BREAKER,
    while_open="wait",
    amount="amount",
    undo="No service takes a refund back: the customer would have to be asked to pay again.",
    runs="tools.service.payments:refund",
    reconcile="tools.service.payments:find_refund",
)
async def refund(order_id: OrderId, amount: Euros, reason: Reason) -> Refund:
    """Pay money back to the customer's original payment method."""


@tool(
    effect=Effect.EXTERNAL,
    risk=Risk.MEDIUM,
    timeout_seconds=10,
    attempts=3,
    dependency=CRM,
    while_open="wait",
    undo="Cancel the replacement in the CRM before it is dispatched.",
    runs="tools.service.fulfilment:replacement_order",
    reconcile="tools.service.fulfilment:find_replacement",
)
async def replacement_order(
    order_id: OrderId, sku: Sku, quantity: Quantity, reason: Reason
) -> Replacement:
    """Send goods of an order once more, free of charge."""


@tool(
    effect=Effect.IDEMPOTENT,
    risk=Risk.LOW,
    timeout_seconds=10,
    attempts=3,
    dependency=CRM,
    while_open="wait",
    undo="Change the address back before the order is dispatched.",
    runs="tools.service.fulfilment:address_change",
)
async def address_change(
    order_id: OrderId,
    street: Annotated[
        str, Field(min_length=3, max_length=120, description="Street and house number.")
    ],
    postal_code: Annotated[str, Field(min_length=3, max_length=12, description="Postal code.")],
    city: Annotated[str, Field(min_length=2, max_length=80, description="Town or city.")],
) -> AddressChange:
    """Send an order that is not yet dispatched to another address in the same country."""


@tool(
    effect=Effect.EXTERNAL,
    risk=Risk.LOW,
    timeout_seconds=10,
    attempts=3,
    throttle="10/s",
    dependency=CRM,
    while_open="wait",
    runs="tools.service.replies:send_reply",
    reconcile="tools.service.replies:find_reply",
)
async def send_reply(
    customer_id: CustomerId,
    subject: Annotated[str, Field(min_length=3, max_length=120, description="Subject line.")],
    body: Annotated[str, Field(min_length=10, max_length=6000, description="Plain text.")],
) -> SentReply:
    """Send a reply to the customer by e-mail."""


TOOLS = [customer_lookup, order_lookup, refund, replacement_order, address_change, send_reply]
"""All of them, as `interlock.toml` names them."""
