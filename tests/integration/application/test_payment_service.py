"""The payment service as a process: it pays every time, keeps what it answered, and stops cleanly."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.payments import passes


def _body(reference: str = "ref-1", **changes: Any) -> dict[str, Any]:
    return {
        "order_id": "A-1042",
        "amount": "89.00",
        "currency": "EUR",
        "reason": "Arrived broken",
        "reference": reference,
    } | changes


async def _refunds(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    answer = await client.get("/refunds", params=query)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["refunds"]
    return found


async def test_a_refund_is_made_and_found(payments: Any) -> None:
    """A posted refund is answered with its id and found by reference and by order."""
    async with payments.client() as client:
        assert (await client.get("/health")).json() == {"status": "ok"}
        answer = await client.post("/refunds", json=_body())
        made = answer.json()
        assert answer.status_code == 201
        assert {name: made[name] for name in _body()} == _body()
        assert made["id"] == "R-000001"
        await client.post("/refunds", json=_body("ref-2", order_id="A-1041", amount=5))
        assert await _refunds(client, reference="ref-1") == [made]
        assert [r["amount"] for r in await _refunds(client, order_id="A-1041")] == ["5.00"]
        assert await _refunds(client, reference="ref-1", order_id="A-1041") == []
        assert await _refunds(client, reference="nobody") == []
        assert len(await _refunds(client)) == 2


async def test_the_same_post_twice_is_two_refunds(payments: Any) -> None:
    """The service does not look at the reference: keeping refunds single is the caller's work."""
    async with payments.client() as client:
        answers = await asyncio.gather(*(client.post("/refunds", json=_body()) for _ in range(2)))
        assert len({answer.json()["id"] for answer in answers}) == 2
        assert len(await _refunds(client, reference="ref-1")) == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "2000.01"}, "amount"),
        ({"amount": "1.005"}, "amount"),
        ({"currency": "euro"}, "currency"),
        ({"reference": ""}, "reference"),
        ({"note": "unknown field"}, "note"),
        ({"not_after": "2026-03-02T10:00:00"}, "not_after"),  # no time zone
    ],
)
async def test_a_bad_refund_is_refused(payments: Any, changes: dict[str, Any], field: str) -> None:
    """A body that is no refund is answered with 422 and the field, and nothing is made."""
    async with payments.client() as client:
        answer = await client.post("/refunds", json=_body(**changes))
        assert answer.status_code == 422
        assert [problem["loc"] for problem in answer.json()["problems"]] == [[field]]
        assert await _refunds(client) == []


def _in(seconds: float) -> str:
    """A time from now, in a zone of its own: the service compares times and not their text."""
    zone = timezone(timedelta(hours=5, minutes=30))
    return (datetime.now(UTC) + timedelta(seconds=seconds)).astimezone(zone).isoformat()


async def test_a_refund_is_not_made_after_its_time(payments: Any) -> None:
    """What comes too late is refused and not made, whatever was made before it."""
    async with payments.client() as client:
        assert (await client.post("/refunds", json=_body(not_after=_in(60)))).status_code == 201
        late = await client.post("/refunds", json=_body("ref-2", not_after=_in(-0.05)))
        assert late.status_code == 412
        assert late.json()["error"] == "too late"
        assert [made["reference"] for made in await _refunds(client)] == ["ref-1"]


@pytest.mark.parametrize(("seconds", "status", "made"), [(0.3, 412, 0), (30, 201, 1)])
async def test_a_held_refund_looks_at_the_time_when_it_is_made(
    start_payments: Any,
    file_appears: Any,
    tmp_path: Path,
    seconds: float,
    status: int,
    made: int,
) -> None:
    """It came in time; whether it is made in time is decided at the commit."""
    hold = tmp_path / "hold"
    hold.mkdir()
    gate = hold / "before-commit"
    gate.touch()
    async with (
        start_payments(tmp_path / "payments.db", hold) as service,
        service.client() as client,
    ):
        end = _in(seconds)
        posting = asyncio.create_task(client.post("/refunds", json=_body(not_after=end)))
        await file_appears(hold / "before-commit.reached")
        if status == 412:
            await passes(datetime.fromisoformat(end))
        gate.unlink()
        assert (await posting).status_code == status
        assert len(await _refunds(client)) == made


async def test_many_refunds_at_once_are_all_made(payments: Any) -> None:
    """Concurrent posts each make one refund under their own reference."""
    async with payments.client() as client:
        bodies = [_body(f"ref-{n}") for n in range(40)]
        answers = await asyncio.gather(*(client.post("/refunds", json=body) for body in bodies))
        assert {answer.status_code for answer in answers} == {201}
        for answer, body in zip(answers, bodies, strict=True):
            assert answer.json()["reference"] == body["reference"]
        assert len({refund["id"] for refund in await _refunds(client)}) == 40


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_cleanly_and_keeps_its_refunds(
    start_payments: Any, tmp_path: Path, number: signal.Signals
) -> None:
    """After SIGTERM or SIGINT the exit code is 0, and a new process has the refunds."""
    database = tmp_path / "payments.db"
    async with start_payments(database) as service, service.client() as client:
        await client.post("/refunds", json=_body())
        assert await service.stop(number) == 0
    async with start_payments(database) as service, service.client() as client:
        assert len(await _refunds(client)) == 1


@pytest.mark.parametrize(("point", "kept"), [("before-commit", 0), ("after-commit", 1)])
async def test_killed_while_held_it_has_what_was_committed(
    start_payments: Any, file_appears: Any, tmp_path: Path, point: str, kept: int
) -> None:
    """Killed before the commit there is no refund, killed after it there is one; none is answered."""
    database, hold = tmp_path / "payments.db", tmp_path / "hold"
    hold.mkdir()
    (hold / point).touch()
    async with start_payments(database, hold) as service, service.client() as client:
        posting = asyncio.create_task(client.post("/refunds", json=_body()))
        await file_appears(hold / f"{point}.reached")
        assert len(await _refunds(client, reference="ref-1")) == kept
        await service.stop(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            await posting
    async with start_payments(database) as service, service.client() as client:
        assert len(await _refunds(client, reference="ref-1")) == kept


async def test_a_caller_that_goes_away_does_not_stop_a_refund(
    start_payments: Any, file_appears: Any, tmp_path: Path
) -> None:
    """A held refund whose caller died is made as soon as it is let go."""
    hold = tmp_path / "hold"
    hold.mkdir()
    for point in ("before-commit", "after-commit"):
        (hold / point).touch()
    async with start_payments(tmp_path / "payments.db", hold) as service:
        async with service.client() as client:
            posting = asyncio.create_task(client.post("/refunds", json=_body()))
            await file_appears(hold / "before-commit.reached")
            posting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await posting
        async with service.client() as client:
            assert await _refunds(client) == []
            (hold / "before-commit").unlink()
            await file_appears(hold / "after-commit.reached")
            assert len(await _refunds(client)) == 1
            (hold / "after-commit").unlink()


async def test_without_a_hold_folder_there_are_no_hooks(
    start_payments: Any, tmp_path: Path
) -> None:
    """A file of that name anywhere else stops nothing."""
    (tmp_path / "before-commit").touch()
    async with start_payments(tmp_path / "payments.db") as service, service.client() as client:
        assert (await client.post("/refunds", json=_body())).status_code == 201
