"""Lines of orders, as the CRM gives them."""

from __future__ import annotations

LAMP = {
    "sku": "HL-LAMP-FJORD",
    "name": "'Fjord' ceramic lamp",
    "quantity": 1,
    "unit_price": "89.00",
}
SHADE = {
    "sku": "HL-SHADE-FJORD",
    "name": "Linen shade for 'Fjord'",
    "quantity": 1,
    "unit_price": "24.00",
}
MUGS = {"sku": "HL-MUG-TIDE", "name": "'Tide' mug", "quantity": 4, "unit_price": "16.50"}
