"""An agent that worker processes host by reference."""

from __future__ import annotations

from tests.graphs import shopper

payer = shopper(name="payer")
