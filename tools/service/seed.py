"""`python -m tools.service.seed`: make the CRM and fill it, unless it is filled already.

The same day gives the same data. Orders are numbered by age, so that the newest ones are still in
the warehouse, some are on the way, and the rest arrived.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from sqlmodel import select

from tools.results import OrderStatus
from tools.service.cases import CASES, PEOPLE, REFUNDED, Case, Person
from tools.service.catalogue import ARTICLES, shipping_cents, zone_of
from tools.service.database import crm_url, prepare, writing
from tools.service.tables import (
    CrmTable,
    CustomerRow,
    OrderLineRow,
    OrderRow,
    ParcelRow,
    PastRefundRow,
    ProductRow,
)

FIRST_ORDER, LAST_ORDER = 951, 1070
CUSTOMERS = 40
_OLDEST_DAYS = 400
_HOUSES = {
    "IE": (("Barrack Street", "T12 W8X3", "Cork"), ("Shop Street", "H91 R2C6", "Galway")),
    "DE": (("Lindenstraße", "50674", "Köln"), ("Gartenweg", "04177", "Leipzig")),
    "NL": (("Herenstraat", "2311 CK", "Leiden"), ("Zeedijk", "1012 AX", "Amsterdam")),
    "FR": (("rue des Carmes", "35000", "Rennes"), ("quai Vendeuvre", "14000", "Caen")),
    "SE": (("Andra Långgatan", "413 03", "Göteborg"), ("Östergatan", "211 25", "Malmö")),
    "GB": (("Leith Walk", "EH6 5DT", "Edinburgh"), ("Mill Road", "CB1 2BD", "Cambridge")),
    "PT": (("Rua das Flores", "4050-262", "Porto"), ("Rua Direita", "3800-223", "Aveiro")),
}
_FIRST_NAMES = (
    "Aoife",
    "Bram",
    "Clara",
    "Declan",
    "Elin",
    "Finn",
    "Greta",
    "Henrik",
    "Ines",
    "Joris",
    "Karin",
    "Liam",
    "Marta",
    "Nils",
    "Orla",
    "Pieter",
    "Rosa",
    "Sven",
    "Tessa",
    "Una",
    "Viktor",
    "Wanda",
    "Yara",
    "Anton",
    "Beata",
    "Conor",
)
_LAST_NAMES = ("Ahern", "Bakker", "Costa", "Dahl", "Evers", "Faria", "Graham", "Hansen", "Ivers",
               "Jansen", "Keller", "Larkin", "Moreau", "Nyberg", "Olsen", "Peters", "Quinn",
               "Richter", "Santos", "Tobin", "Ulrich", "Vogel", "Walsh", "Young", "Zimmer", "Byrne")  # fmt: skip
_PAYMENTS = ("card", "card", "card", "paypal", "bank transfer")


@dataclass(frozen=True)
class Seeded:
    """What a seeding found or made."""

    customers: int
    orders: int
    created: bool
    """False when the CRM was filled before."""


async def seed(today: date) -> Seeded:
    """Make the tables and fill them as of `today`; change nothing when they are filled."""
    await prepare()
    async with writing() as session:
        connection = await session.connection()
        await connection.run_sync(CrmTable.metadata.create_all)
        created = (await session.exec(select(CustomerRow.id).limit(1))).first() is None
        if created:
            for rows in _in_groups(today):
                session.add_all(rows)
                await session.flush()
        customers = len((await session.exec(select(CustomerRow.id))).all())
        orders = len((await session.exec(select(OrderRow.id))).all())
    return Seeded(customers=customers, orders=orders, created=created)


def build(today: date) -> list[CrmTable]:
    """Return all rows of a fresh CRM as of `today`, parents first."""
    return [row for rows in _in_groups(today) for row in rows]


def _in_groups(today: date) -> Iterator[list[CrmTable]]:
    people = {person.id: person for person in (*PEOPLE, *_more_people())}
    cases = sorted((*CASES, *_more_cases(list(people.values()))), key=lambda case: case.id)
    yield [
        ProductRow(sku=a.sku, name=a.name, price_cents=a.price_cents, stock=a.stock)
        for a in ARTICLES
    ]
    yield [_customer(person, today) for person in people.values()]
    yield [_order(case, people[case.customer_id], today) for case in cases]
    yield [line for case in cases for line in _lines(case)]
    yield [
        parcel
        for case in cases
        if (parcel := _parcel(case, people[case.customer_id].country, today)) is not None
    ]
    yield [
        PastRefundRow(
            order_id=paid.order_id,
            amount_cents=paid.amount_cents,
            reason=paid.reason,
            refunded_on=today - timedelta(days=_age(paid.order_id) - paid.days_after_order),
        )
        for paid in REFUNDED
    ]


def _more_people() -> list[Person]:
    chance = Random("harbour lane: customers")  # noqa: S311 - sample data
    first = chance.sample(_FIRST_NAMES, CUSTOMERS - len(PEOPLE))
    last = chance.sample(_LAST_NAMES, CUSTOMERS - len(PEOPLE))
    people = []
    for number, (given, family) in enumerate(zip(first, last, strict=True), len(PEOPLE) + 1):
        country = chance.choice(list(_HOUSES))
        street, postal_code, city = chance.choice(_HOUSES[country])
        people.append(
            Person(
                id=f"C-{number:04d}",
                name=f"{given} {family}",
                email=f"{given}.{family}@mail.example".lower(),
                street=f"{street} {chance.randint(1, 90)}",
                postal_code=postal_code,
                city=city,
                country=country,
                club_tier=chance.choice(("deckhand", "deckhand", "mate", "captain")),
                since_days=chance.randint(_OLDEST_DAYS, 1500),
            )
        )
    return people


def _more_cases(people: list[Person]) -> list[Case]:
    chance = Random("harbour lane: orders")  # noqa: S311 - sample data
    taken = {case.id for case in CASES}
    strangers = people[len(PEOPLE) :]
    in_stock = [article.sku for article in ARTICLES if article.stock]
    numbers = [f"A-{number:04d}" for number in range(FIRST_ORDER, LAST_ORDER + 1)]
    return [
        Case(
            number,
            chance.choice(strangers).id,
            tuple(
                (sku, chance.choice((1, 1, 1, 2)))
                for sku in chance.sample(in_stock, chance.choice((1, 1, 2, 3)))
            ),
            chance.choice(_PAYMENTS),
        )
        for number in numbers
        if number not in taken
    ]


def _customer(person: Person, today: date) -> CustomerRow:
    return CustomerRow(
        id=person.id,
        name=person.name,
        email=person.email,
        street=person.street,
        postal_code=person.postal_code,
        city=person.city,
        country=person.country,
        customer_since=today - timedelta(days=person.since_days),
        club_tier=person.club_tier,
    )


def _order(case: Case, person: Person, today: date) -> OrderRow:
    goods = sum(line.quantity * line.unit_cents for line in _lines(case))
    return OrderRow(
        id=case.id,
        customer_id=person.id,
        status=_status(case, person.country),
        placed_on=today - timedelta(days=_age(case.id)),
        shipping_cents=shipping_cents(person.country, goods, person.club_tier),
        payment_method=case.payment_method,
        street=person.street,
        postal_code=person.postal_code,
        city=person.city,
        country=person.country,
    )


def _lines(case: Case) -> list[OrderLineRow]:
    articles = {article.sku: article for article in ARTICLES}
    return [
        OrderLineRow(
            order_id=case.id,
            sku=sku,
            name=articles[sku].name,
            quantity=quantity,
            unit_cents=articles[sku].price_cents,
        )
        for sku, quantity in case.lines
    ]


def _parcel(case: Case, country: str, today: date) -> ParcelRow | None:
    status = _status(case, country)
    if status in (OrderStatus.PROCESSING, OrderStatus.CANCELLED):
        return None
    zone = zone_of(country)
    delivered = None
    if status in (OrderStatus.DELIVERED, OrderStatus.RETURNED):
        delivered = today - timedelta(days=_days_since_delivery(case.id, country))
    return ParcelRow(
        tracking=f"{zone.carrier[:2].upper()}{int(case.id[2:]) * 7919:08d}{country}",
        order_id=case.id,
        carrier=zone.carrier,
        dispatched_on=today - timedelta(days=_age(case.id) - 1),
        delivered_on=delivered,
    )


def _status(case: Case, country: str) -> OrderStatus:
    if case.status is not None:
        return case.status
    if _age(case.id) <= 1:
        return OrderStatus.PROCESSING
    arrived = _days_since_delivery(case.id, country) > 0
    return OrderStatus.DELIVERED if arrived else OrderStatus.DISPATCHED


def _age(order_id: str) -> int:
    """Return how many days ago an order was placed: the shop grows, so new ones are many."""
    place = (LAST_ORDER - int(order_id[2:])) / (LAST_ORDER - FIRST_ORDER)
    return round(_OLDEST_DAYS * math.pow(place, 2.62))


def _days_since_delivery(order_id: str, country: str) -> int:
    slowest = zone_of(country).days[1]
    return _age(order_id) - 1 - slowest


def main() -> None:
    """Seed as of today and say what is there."""
    done = asyncio.run(seed(datetime.now(UTC).date()))
    what = "seeded" if done.created else "already seeded"
    sys.stdout.write(f"{what}: {done.customers} customers, {done.orders} orders in {crm_url()}\n")


if __name__ == "__main__":
    main()
