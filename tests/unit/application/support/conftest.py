"""States and orders of the copilot for the tests of this folder."""

from __future__ import annotations

from typing import Any

import pytest

from agents.support.state import Done, SupportState
from tests.unit.application.support.articles import LAMP, SHADE


class Maker:
    """Makes orders and states."""

    @staticmethod
    def order(*lines: dict[str, Any], total: str = "121.90", **changes: Any) -> dict[str, Any]:
        """Return an order as the CRM gives it."""
        return {
            "order_id": "A-1035",
            "customer_id": "C-0003",
            "status": "delivered",
            "placed_on": "2026-02-10",
            "dispatched_on": "2026-02-11",
            "delivered_on": "2026-02-20",
            "carrier": "Tidewater Post",
            "tracking": "TI08195165AT",
            "lines": list(lines) or [LAMP, SHADE],
            "total": total,
            "currency": "EUR",
            "address": {"street": "", "postal_code": "8010", "city": "Graz", "country": "AT"},
        } | changes

    @staticmethod
    def done(outcome: str, action: str = "refund", **changes: Any) -> Done:
        """Return how an action ended."""
        made: Any = {
            "action": action,
            "outcome": outcome,
            "arguments": {"order_id": "A-1035", "amount": "24.00"},
            "result": {"amount": "24.00"} if outcome == "done" else {},
            "why": "",
        }
        return made | changes

    @staticmethod
    def state(said: str = "Please refund the shade.", **changes: Any) -> SupportState:
        """Return the state of a case about an order."""
        made: Any = {
            "said": said,
            "intent": "refund",
            "wishes": ["refund"],
            "order_id": "A-1035",
            "order": Maker.order(),
            "customer": {"customer_id": "C-0003", "name": "Lukas Hofer", "orders": []},
            "customer_id": "C-0003",
            "concern": "",
            "settled": [],
            "sources": [],
            "done": None,
        }
        return made | changes


@pytest.fixture
def make() -> Maker:
    """Makes orders and states."""
    return Maker()
