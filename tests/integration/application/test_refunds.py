"""The refund tool against a real payment service."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from interlock.errors import ToolFailed, ToolRetry, ToolUnavailable
from interlock.tools.retry_after import wanted_wait
from tests.payments import passes
from tools.service.payments import find_refund, refund

_AMOUNT = Decimal("89.00")


async def _count(payments: Any, **query: str) -> int:
    async with payments.client() as client:
        return len((await client.get("/refunds", params=query)).json()["refunds"])


async def test_a_refund_is_made_under_the_effect_key(crm: Path, payments: Any, call: Any) -> None:
    """The service has the refund under the key, and the reconciler finds that one."""
    made = await refund("A-1042", _AMOUNT, "Arrived broken", call=call("k1"))
    assert (made.order_id, made.amount, made.currency) == ("A-1042", _AMOUNT, "EUR")
    assert await find_refund(call("k1")) == made
    assert await find_refund(call("k2")) is None
    assert await _count(payments, reference="k1") == 1


async def test_calling_twice_pays_twice(crm: Path, payments: Any, call: Any) -> None:
    """Nothing on this side keeps a refund single either, so the ledger has to."""
    for _ in range(2):
        await refund("A-1042", _AMOUNT, "Arrived broken", call=call("k1"))
    assert await _count(payments, order_id="A-1042") == 2


@pytest.mark.parametrize(
    ("order_id", "amount", "error", "says"),
    [
        ("A-9999", "10.00", ToolRetry, "'A-9999'"),
        ("A-1042", "89.01", ToolRetry, "at most 89.00 EUR"),
        ("A-1020", "46.90", ToolFailed, "cancelled and already paid back"),
        ("A-1024", "62.90", ToolFailed, "returned and already paid back"),
    ],
)
async def test_a_refund_that_is_not_due_is_refused(
    crm: Path,
    payments: Any,
    call: Any,
    order_id: str,
    amount: str,
    error: type[Exception],
    says: str,
) -> None:
    """A mistake goes back to the model, a business no is definite, and nothing is paid."""
    with pytest.raises(error, match=says):
        await refund(order_id, Decimal(amount), "Arrived broken", call=call("k1"))
    assert await _count(payments) == 0


async def test_a_no_of_the_service_is_definite(crm: Path, payments: Any, call: Any) -> None:
    """What the service refuses as malformed was not paid, and the tool says so."""
    with pytest.raises(ToolFailed, match="refused the refund of 'A-1042'"):
        await refund("A-1042", Decimal("1.005"), "Arrived broken", call=call("k1"))
    assert await _count(payments) == 0


async def test_a_lost_answer_is_no_clear_no(
    crm: Path,
    start_payments: Any,
    file_appears: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Any,
) -> None:
    """When the service dies after its commit the tool cannot tell, and the reconciler can."""
    database, hold = tmp_path / "payments.db", tmp_path / "hold"
    hold.mkdir()
    (hold / "after-commit").touch()
    async with start_payments(database, hold) as service:
        monkeypatch.setenv("SHOP_PAYMENTS_URL", service.url)
        calling = asyncio.create_task(refund("A-1042", _AMOUNT, "Broken", call=call("k1")))
        await file_appears(hold / "after-commit.reached")
        service.process.kill()
        with pytest.raises(httpx.TransportError):
            await calling
        await service.stop()
        with pytest.raises(httpx.TransportError):
            await find_refund(call("k1"))
    async with start_payments(database) as service:
        monkeypatch.setenv("SHOP_PAYMENTS_URL", service.url)
        found = await find_refund(call("k1"))
        assert found is not None
        assert found.amount == _AMOUNT


async def test_a_slow_service_pays_no_more_after_the_deadline(
    crm: Path,
    start_payments: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Any,
) -> None:
    """The tool gives up before its call is over, and the service refuses what it has not done then."""
    hold = tmp_path / "hold"
    hold.mkdir()
    gate = hold / "before-commit"
    gate.touch()
    deadline = datetime.now(UTC) + timedelta(seconds=4)
    made = call("k1").model_copy(update={"deadline": deadline})
    async with start_payments(tmp_path / "payments.db", hold) as service:
        monkeypatch.setenv("SHOP_PAYMENTS_URL", service.url)
        with pytest.raises(httpx.ReadTimeout):
            await refund("A-1042", _AMOUNT, "Arrived broken", call=made)
        assert datetime.now(UTC) < deadline
        await passes(deadline)
        gate.unlink()
        assert await service.stop() == 0  # it ends what it has in hand first
    async with start_payments(tmp_path / "payments.db") as service:
        assert await _count(service) == 0


async def test_a_refund_that_comes_too_late_may_be_tried_again(
    crm: Path, payments: Any, call: Any
) -> None:
    """The service's word that it did nothing is certain; the next attempt has another deadline."""
    late = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(ToolUnavailable, match="too late"):
        await refund(
            "A-1042", _AMOUNT, "Broken", call=call("k1").model_copy(update={"deadline": late})
        )
    assert await _count(payments) == 0


async def test_a_service_that_is_not_there_was_sent_nothing(
    crm: Path, payments: Any, call: Any
) -> None:
    """A refused connection is no doubt: nothing was sent."""
    await payments.stop(signal.SIGKILL)
    with pytest.raises(ToolUnavailable, match="nothing was sent"):
        await refund("A-1042", _AMOUNT, "Broken", call=call("k1"))


async def test_without_an_address_nothing_is_sent(
    crm: Path, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    """A missing address is a clear no that names the variable."""
    monkeypatch.delenv("SHOP_PAYMENTS_URL", raising=False)
    with pytest.raises(ToolFailed, match="SHOP_PAYMENTS_URL"):
        await refund("A-1042", _AMOUNT, "Arrived broken", call=call("k1"))


async def test_a_busy_service_is_tried_again_when_it_says(
    crm: Path, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    """429 for the one request of a call is certain: nothing was paid, and the wait is kept."""
    busy = httpx.MockTransport(lambda _: httpx.Response(429, headers={"Retry-After": "30"}))
    real = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **options: real(transport=busy, **options))
    monkeypatch.setenv("SHOP_PAYMENTS_URL", "http://payments.test")
    with pytest.raises(ToolUnavailable, match="takes no more requests") as caught:
        await refund("A-1042", _AMOUNT, "Broken", call=call("k1"))
    wait = wanted_wait(caught.value, datetime.now(UTC), timedelta(minutes=15))
    assert wait == {"retry_after_seconds": 30}
