"""The CRM side of the tools, on a seeded database."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from interlock.errors import ToolFailed, ToolRetry, ToolUnavailable
from tools.service.crm import customer_lookup, order_lookup
from tools.service.fulfilment import address_change, find_replacement, replacement_order
from tools.service.replies import find_reply, send_reply
from tools.service.seed import seed

ROOT = Path(__file__).parents[3]


def _rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


async def test_seeding_again_changes_nothing(crm: Path) -> None:
    """A second seeding, on another day, leaves every row as it is."""
    before = _dump(crm)
    done = await seed(date(2027, 1, 1))
    assert (done.customers, done.orders, done.created) == (40, 120, False)
    assert _dump(crm) == before


async def test_two_seedings_at_once_make_one_crm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes that start together do not fill the tables twice."""
    monkeypatch.setenv("SHOP_CRM_URL", f"sqlite+aiosqlite:///{tmp_path}/new/crm.db")
    done = await asyncio.gather(*(seed(date(2026, 3, 2)) for _ in range(2)))
    assert sorted(one.created for one in done) == [False, True]
    assert {(one.customers, one.orders) for one in done} == {(40, 120)}


def test_the_seed_command_says_what_is_there(tmp_path: Path) -> None:
    """`python -m tools.service.seed` fills the CRM of the environment, and then leaves it alone."""
    url = f"sqlite+aiosqlite:///{tmp_path}/crm.db"
    said = [
        subprocess.run(
            [sys.executable, "-m", "tools.service.seed"],
            cwd=ROOT,
            env={**os.environ, "SHOP_CRM_URL": url},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert said[0] == f"seeded: 40 customers, 120 orders in {url}\n"
    assert said[1] == f"already {said[0]}"


async def test_an_order_is_read_whole(crm: Path) -> None:
    """Status, dates, goods, prices, parcel and address of A-1042 are there."""
    order = await order_lookup("A-1042")
    assert (order.customer_id, order.status, order.payment_method) == (
        "C-0007",
        "delivered",
        "card",
    )
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("HL-LAMP-FJORD", 1, Decimal("89.00"))
    ]
    assert (order.goods, order.shipping, order.total) == (
        Decimal("89.00"),
        Decimal("0.00"),
        Decimal("89.00"),
    )
    assert order.dispatched_on is not None
    assert order.delivered_on is not None
    assert order.placed_on < order.dispatched_on < order.delivered_on
    assert order.carrier == "Tidewater Post"
    assert order.address.country == "IE"


async def test_a_customer_is_found_by_number_and_by_mail_address(crm: Path) -> None:
    """Both keys give the same history, newest first, and neither address is told."""
    maya = await customer_lookup("C-0007")
    assert maya == await customer_lookup("Maya.Lindqvist@mail.example")
    assert [order.order_id for order in maya.orders] == ["A-1042", "A-1003", "A-0972"]
    assert [order.total for order in maya.orders] == [
        Decimal("89.00"),
        Decimal("56.90"),
        Decimal("37.90"),
    ]
    assert [(r.order_id, r.amount) for r in maya.past_refunds] == [("A-0972", Decimal("4.90"))]
    assert "mail.example" not in maya.model_dump_json()


@pytest.mark.parametrize("key", ["C-9999", "nobody@mail.example"])
async def test_an_unknown_customer_goes_back_to_the_model(crm: Path, key: str) -> None:
    """The message names the key and says what to do."""
    with pytest.raises(ToolRetry, match=key) as caught:
        await customer_lookup(key)
    assert "ask the customer" in caught.value.message


async def test_an_unknown_order_goes_back_to_the_model(crm: Path) -> None:
    """The message names the order and says what to do."""
    with pytest.raises(ToolRetry, match="'A-9999'") as caught:
        await order_lookup("A-9999")
    assert "ask the customer" in caught.value.message


async def test_a_replacement_is_taken_from_stock_and_found_again(crm: Path, call: Any) -> None:
    """One piece less is in stock, and the effect key finds what was made."""
    made = await replacement_order("A-1040", "HL-MUG-TIDE", 2, "Two broken", call=call("k1"))
    assert (made.order_id, made.sku, made.quantity) == ("A-1040", "HL-MUG-TIDE", 2)
    assert await find_replacement(call("k1")) == made
    assert await find_replacement(call("k2")) is None
    assert _rows(crm, "SELECT stock FROM product WHERE sku = 'HL-MUG-TIDE'") == [(398,)]


@pytest.mark.parametrize(
    ("order_id", "sku", "quantity", "error", "says"),
    [
        ("A-9999", "HL-MUG-TIDE", 1, ToolRetry, "'A-9999'"),
        ("A-1040", "HL-VASE-MARRAM", 1, ToolRetry, "It holds 4 x HL-MUG-TIDE"),
        ("A-1040", "HL-MUG-TIDE", 5, ToolRetry, "It holds 4 x HL-MUG-TIDE"),
        ("A-1028", "HL-CARAFE-SKERRY", 1, ToolFailed, "out of stock"),
        ("A-1064", "HL-CANDLE-BEACON", 1, ToolFailed, "is processing"),
        ("A-1020", "HL-APRON-DOCK", 1, ToolFailed, "is cancelled"),
    ],
)
async def test_a_replacement_that_cannot_be_is_refused(
    crm: Path,
    call: Any,
    order_id: str,
    sku: str,
    quantity: int,
    error: type[Exception],
    says: str,
) -> None:
    """A mistake goes back to the model, a business no is definite, and nothing is written."""
    before = _dump(crm)
    with pytest.raises(error, match=says):
        await replacement_order(order_id, sku, quantity, "Broken", call=call("k1"))
    assert _dump(crm) == before


async def test_replacements_at_once_do_not_share_a_piece(crm: Path, call: Any) -> None:
    """Concurrent replacements each take their own piece from stock."""
    await asyncio.gather(
        *(
            replacement_order("A-1042", "HL-LAMP-FJORD", 1, "Broken", call=call(f"k{n}"))
            for n in range(12)
        )
    )
    assert _rows(crm, "SELECT stock FROM product WHERE sku = 'HL-LAMP-FJORD'") == [(388,)]
    assert _rows(crm, "SELECT count(DISTINCT reference) FROM replacement") == [(12,)]


async def test_an_address_changes_once_for_a_key(crm: Path, call: Any) -> None:
    """The same key again gives the same answer and changes nothing; the old address is kept."""
    old = (await order_lookup("A-1062")).address
    changed = await address_change(
        "A-1062", "Eimsbütteler Chaussee 41", "20259", "Hamburg", call=call("k1")
    )
    assert changed.address.country == old.country
    assert (await order_lookup("A-1062")).address == changed.address
    await address_change("A-1062", "Other Street 1", "22765", "Hamburg", call=call("k2"))
    again = await address_change(
        "A-1062", "Eimsbütteler Chaussee 41", "20259", "Hamburg", call=call("k1")
    )
    assert again == changed
    assert (await order_lookup("A-1062")).address.street == "Other Street 1"
    history = _rows(crm, "SELECT old_address FROM address_history ORDER BY id")
    assert history == [(old.model_dump_json(),), (changed.address.model_dump_json(),)]


@pytest.mark.parametrize(
    ("order_id", "error", "says"),
    [
        ("A-9999", ToolRetry, "'A-9999'"),
        ("A-1052", ToolFailed, "is dispatched"),
        ("A-1042", ToolFailed, "is delivered"),
        ("A-1020", ToolFailed, "is cancelled"),
    ],
)
async def test_an_address_that_cannot_change_is_refused(
    crm: Path, call: Any, order_id: str, error: type[Exception], says: str
) -> None:
    """Only an order that is still in the warehouse can go elsewhere."""
    before = _dump(crm)
    with pytest.raises(error, match=says):
        await address_change(order_id, "New Street 1", "12345", "Town", call=call("k1"))
    assert _dump(crm) == before


async def test_a_reply_is_in_the_outbox_and_found_again(crm: Path, call: Any) -> None:
    """The effect key finds the reply that was sent under it, and no other."""
    sent = await send_reply("C-0007", "Your lamp", "Dear Maya, it is done.", call=call("k1"))
    assert await find_reply(call("k1")) == sent
    assert await find_reply(call("k2")) is None
    assert _rows(crm, "SELECT customer_id, subject, body, reference FROM outbox_reply") == [
        ("C-0007", "Your lamp", "Dear Maya, it is done.", "k1")
    ]


async def test_nothing_is_written_after_the_deadline_of_a_call(crm: Path, call: Any) -> None:
    """A later attempt has asked by then and writes again, so the late one leaves no trace."""
    late = call("k1").model_copy(update={"deadline": datetime.now(UTC) - timedelta(seconds=1)})
    before = _dump(crm)
    with pytest.raises(ToolUnavailable, match="too late"):
        await send_reply("C-0007", "Your order", "It is on its way.", call=late)
    with pytest.raises(ToolUnavailable, match="too late"):
        await replacement_order("A-1040", "HL-MUG-TIDE", 2, "Two broken", call=late)
    assert _dump(crm) == before


async def test_a_reply_to_nobody_goes_back_to_the_model(crm: Path, call: Any) -> None:
    """A customer number that does not exist is the model's mistake, and nothing is sent."""
    with pytest.raises(ToolRetry, match="'C-9999'"):
        await send_reply("C-9999", "Your lamp", "Dear nobody, it is done.", call=call("k1"))
    assert _rows(crm, "SELECT count(*) FROM outbox_reply") == [(0,)]
