"""The application's data as the tests of this folder read it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.service.seed import build
from tools.service.tables import CrmTable, OrderLineRow, OrderRow

ROOT = Path(__file__).parents[3]
TODAY = date(2026, 3, 2)


class Crm:
    """The rows of a fresh CRM, by kind."""

    def __init__(self, rows: list[CrmTable]) -> None:
        self.rows = rows
        self.orders = {row.id: row for row in self.of(OrderRow)}
        self.lines: dict[str, list[OrderLineRow]] = {order_id: [] for order_id in self.orders}
        for line in self.of(OrderLineRow):
            self.lines[line.order_id].append(line)

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the rows of one table."""
        return [row for row in self.rows if isinstance(row, kind)]

    def total_cents(self, order_id: str) -> int:
        """Return goods and shipping of an order."""
        goods = sum(line.quantity * line.unit_cents for line in self.lines[order_id])
        shipping: int = self.orders[order_id].shipping_cents
        return goods + shipping


@pytest.fixture(scope="session")
def crm() -> Crm:
    """A fresh CRM as of a fixed day."""
    return Crm(build(TODAY))


@pytest.fixture(scope="session")
def documents() -> dict[str, tuple[dict[str, Any], str]]:
    """Front matter and body of every knowledge document, by file name without its ending."""
    found = {}
    for path in sorted((ROOT / "memory" / "knowledge").glob("*.md")):
        before, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
        assert before == "", f"{path.name} does not begin with front matter"
        found[path.stem] = (yaml.safe_load(front), body)
    return found


@pytest.fixture(scope="session")
def intents() -> dict[str, list[str]]:
    """The labelled examples of every intent."""
    text = (ROOT / "agents" / "support" / "intents.yaml").read_text(encoding="utf-8")
    return {name: intent["examples"] for name, intent in yaml.safe_load(text).items()}


@pytest.fixture(scope="session")
def messages() -> list[dict[str, Any]]:
    """The labelled messages."""
    text = (ROOT / "tests" / "data" / "messages.yaml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)["messages"]
    return found
