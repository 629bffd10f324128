"""The circuit breakers of the shop's own tools: what has to fail until one opens, and who sees it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from interlock.cli.services import breakers
from interlock.errors import CircuitOpen, ToolUnavailable
from interlock.settings import AuditSettings, Settings
from interlock.tools import ToolCall
from interlock.tools.gateway import ToolGateway
from tests.integration.tools.bench import Bench
from tools.contracts import TOOLS
from tools.service.seed import seed

NOWHERE = "http://127.0.0.1:9"
"""Nothing listens there."""


@pytest.fixture
async def gateway(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToolGateway:
    """The gateway of a shop that has its CRM, and whose payment service is gone."""
    monkeypatch.setenv("SHOP_CRM_URL", f"sqlite+aiosqlite:///{tmp_path / 'crm.db'}")
    monkeypatch.setenv("SHOP_PAYMENTS_URL", NOWHERE)
    await seed(date(2026, 3, 2))
    return bench.gateway(*TOOLS)


def asked(bench: Bench, tool: str, number: int, **arguments: Any) -> ToolCall:
    """A call of one of the shop's tools."""
    fields = {"tool": tool, "arguments": {"order_id": "A-1042", **arguments}}
    return bench.call(call_id=f"c{number}", effect_key=f"{tool}-{number}", **fields)


async def states(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """What `interlock doctor` says of breakers."""
    audit = AuditSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    found = await breakers(Settings(project_dir=tmp_path, audit=audit))
    return {finding.name: (finding.state, finding.message) for finding in found}


async def test_the_payment_service_is_gone(
    bench: Bench, gateway: ToolGateway, tmp_path: Path
) -> None:
    """Five refunds that reach nobody open its breaker; the next waits, and the CRM is read on."""
    terms = {"amount": "5.00", "reason": "Arrived broken"}
    for number in range(5):
        with pytest.raises(ToolUnavailable, match="payment service"):
            await gateway.run(asked(bench, "refund", number, **terms))
    state, text = (await states(tmp_path))["breaker payments"]
    assert state == "warn"
    assert text.startswith("open since")
    with pytest.raises(CircuitOpen, match="'payments'") as caught:
        await gateway.run(asked(bench, "refund", 6, **terms))
    assert caught.value.details["retry_after_seconds"] == pytest.approx(30, abs=1)
    assert await bench.ledger.find("refund-6") is None, "a call that waits claims nothing"
    assert (await gateway.run(asked(bench, "order_lookup", 7))).status == "done"


async def test_the_crm_is_gone(
    bench: Bench, gateway: ToolGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten lookups in vain open its breaker; the next is told at once and opens no database."""
    monkeypatch.setenv("SHOP_CRM_URL", f"sqlite+aiosqlite:///{tmp_path}")  # a folder is no database
    for number in range(10):
        with pytest.raises(ToolUnavailable, match="CRM does not answer"):
            await gateway.run(asked(bench, "order_lookup", number))
    assert (await states(tmp_path))["breaker crm"][0] == "warn"
    outcome = await gateway.run(asked(bench, "order_lookup", 11))
    assert (outcome.status, outcome.code) == ("failed", "CIRCUIT_OPEN")
