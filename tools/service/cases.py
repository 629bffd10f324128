"""Customers and orders written by hand, so that demos and labelled messages have known cases."""

from __future__ import annotations

from dataclasses import dataclass

from tools.results import OrderStatus


@dataclass(frozen=True)
class Person:
    """A customer; all of them are made up."""

    id: str
    name: str
    email: str
    street: str
    postal_code: str
    city: str
    country: str
    club_tier: str = "deckhand"
    since_days: int = 500
    """How many days ago the account was opened."""


@dataclass(frozen=True)
class Case:
    """An order of one of them. Its age follows from its number, its state from its age."""

    id: str
    customer_id: str
    lines: tuple[tuple[str, int], ...]
    """Article number and pieces."""
    payment_method: str = "card"
    status: OrderStatus | None = None
    """Set where the state does not follow from the age: cancelled, returned, lost, waiting."""


@dataclass(frozen=True)
class Paid:
    """A refund of an earlier case."""

    order_id: str
    amount_cents: int
    reason: str
    days_after_order: int


PEOPLE = (
    Person(
        "C-0001",
        "Tomás Brennan",
        "tomas.brennan@mail.example",
        "18 Clanbrassil Terrace",
        "D08 A3K7",
        "Dublin",
        "IE",
        "mate",
        900,
    ),
    Person(
        "C-0002",
        "Anneke de Wit",
        "anneke.dewit@post.example",
        "Oudegracht 212",
        "3511 NR",
        "Utrecht",
        "NL",
        "mate",
        700,
    ),
    Person(
        "C-0003", "Lukas Hofer", "lukas.hofer@mail.example", "Sporgasse 9", "8010", "Graz", "AT"
    ),
    Person(
        "C-0004",
        "Siobhán Kerrigan",
        "siobhan.kerrigan@mail.example",
        "4 Wine Street",
        "F91 K2P4",
        "Sligo",
        "IE",
    ),
    Person(
        "C-0005",
        "Camille Fournier",
        "camille.fournier@post.example",
        "7 rue Kervégan",
        "44000",
        "Nantes",
        "FR",
    ),
    Person(
        "C-0006",
        "Oliver Pryce",
        "oliver.pryce@mail.example",
        "31 Cotham Hill",
        "BS6 6JY",
        "Bristol",
        "GB",
    ),
    Person(
        "C-0007",
        "Maya Lindqvist",
        "maya.lindqvist@mail.example",
        "22 Dominick Street Upper",
        "H91 X4V8",
        "Galway",
        "IE",
        "mate",
        640,
    ),
    Person(
        "C-0008",
        "Ingrid Solberg",
        "ingrid.solberg@post.example",
        "Nygårdsgaten 45",
        "5015",
        "Bergen",
        "NO",
    ),
    Person(
        "C-0009",
        "Jonas Weber",
        "jonas.weber@mail.example",
        "Bahrenfelder Straße 88",
        "22765",
        "Hamburg",
        "DE",
        "mate",
        1100,
    ),
    Person(
        "C-0010",
        "Giulia Moretti",
        "giulia.moretti@post.example",
        "Via del Pratello 53",
        "40122",
        "Bologna",
        "IT",
    ),
    Person(
        "C-0011",
        "Pilar Ortega",
        "pilar.ortega@mail.example",
        "Calle Ledesma 14",
        "48001",
        "Bilbao",
        "ES",
    ),
    Person("C-0012", "Emil Kask", "emil.kask@mail.example", "Rüütli 6", "51007", "Tartu", "EE"),
    Person(
        "C-0013",
        "Niamh O'Dowd",
        "niamh.odowd@post.example",
        "11 Sunday's Well Road",
        "T23 V6R2",
        "Cork",
        "IE",
        "deckhand",
        420,
    ),
    Person(
        "C-0014",
        "Petra Nováková",
        "petra.novakova@mail.example",
        "Veveří 37",
        "602 00",
        "Brno",
        "CZ",
    ),
)

_CANCELLED, _RETURNED = OrderStatus.CANCELLED, OrderStatus.RETURNED
_WAITING, _LOST = OrderStatus.PROCESSING, OrderStatus.DISPATCHED

CASES = (
    # Maya Lindqvist: the customer of `make demo`.
    Case("A-0972", "C-0007", (("HL-MUG-TIDE", 2),)),
    Case("A-1003", "C-0007", (("HL-BOWL-COVE", 1), ("HL-CANDLE-BEACON", 1))),
    Case("A-1042", "C-0007", (("HL-LAMP-FJORD", 1),)),
    # Delivered.
    Case("A-1021", "C-0014", (("HL-APRON-DOCK", 1),)),
    Case("A-1022", "C-0004", (("HL-LAMP-LIGHTSHIP", 1),), "paypal"),
    Case("A-1027", "C-0009", (("HL-SWEATER-HARBOUR-M", 1),), "paypal"),
    Case("A-1028", "C-0002", (("HL-CARAFE-SKERRY", 1),)),
    Case("A-1029", "C-0012", (("HL-BOARD-QUAY", 1),)),
    Case("A-1030", "C-0014", (("HL-CUSHION-DRIFT", 2),), "bank transfer"),
    Case("A-1031", "C-0011", (("HL-LAMP-PHAROS", 1), ("HL-BULB-E27", 1))),
    Case("A-1032", "C-0013", (("HL-SOCK-KEEL-M", 2),)),
    Case("A-1033", "C-0008", (("HL-THROW-INISHEER", 1),)),
    Case("A-1034", "C-0006", (("HL-PLATE-SHORE", 6),), "paypal"),
    Case("A-1035", "C-0003", (("HL-LAMP-FJORD", 1), ("HL-SHADE-FJORD", 1))),
    Case("A-1036", "C-0001", (("HL-CANDLE-BEACON", 1),)),
    Case("A-1037", "C-0010", (("HL-CLOCK-EBB", 1),)),
    Case("A-1038", "C-0004", (("HL-KETTLE-GALLEY", 1),)),
    Case("A-1039", "C-0005", (("HL-VASE-MARRAM", 1),)),
    Case("A-1040", "C-0009", (("HL-MUG-TIDE", 4),)),
    Case("A-1041", "C-0002", (("HL-GLASS-SPRAY", 1), ("HL-TOWEL-KELP", 2))),
    # Sent long ago and never delivered, cancelled, returned, waiting for stock.
    Case("A-1019", "C-0003", (("HL-SWEATER-HARBOUR-S", 1),), status=_WAITING),
    Case("A-1020", "C-0013", (("HL-APRON-DOCK", 1),), status=_CANCELLED),
    Case("A-1024", "C-0005", (("HL-SLIPPER-MOORING-39", 1),), status=_RETURNED),
    Case("A-1025", "C-0010", (("HL-VASE-MARRAM", 1),), "paypal", status=_LOST),
    Case("A-1026", "C-0001", (("HL-LAMP-PHAROS", 1),), status=_LOST),
    Case("A-1055", "C-0012", (("HL-CARAFE-SKERRY", 1),), status=_WAITING),
    # On the way.
    Case("A-1043", "C-0008", (("HL-BOWL-COVE", 1),)),
    Case("A-1047", "C-0012", (("HL-CANDLE-BEACON", 3),)),
    Case("A-1048", "C-0006", (("HL-KETTLE-GALLEY", 1),), "paypal"),
    Case("A-1049", "C-0010", (("HL-BAG-SAIL", 1),)),
    Case("A-1051", "C-0009", (("HL-CUSHION-DRIFT", 1),)),
    Case("A-1052", "C-0002", (("HL-LAMP-LIGHTSHIP", 1),)),
    Case("A-1053", "C-0001", (("HL-THROW-INISHEER", 1),), "paypal"),
    Case("A-1054", "C-0013", (("HL-MUG-TIDE", 2),)),
    # Not yet dispatched.
    Case("A-1056", "C-0003", (("HL-LAMP-SKAGEN", 1),)),
    Case("A-1057", "C-0004", (("HL-PLATE-SHORE", 4),)),
    Case("A-1058", "C-0005", (("HL-THROW-INISHEER", 1),)),
    Case("A-1059", "C-0006", (("HL-SWEATER-HARBOUR-L", 1),), "paypal"),
    Case("A-1060", "C-0011", (("HL-BAG-SAIL", 1),)),
    Case("A-1061", "C-0014", (("HL-SOCK-KEEL-L", 3),), "bank transfer"),
    Case("A-1062", "C-0009", (("HL-CLOCK-EBB", 1),)),
    Case("A-1063", "C-0002", (("HL-VASE-MARRAM", 1),)),
    Case("A-1064", "C-0001", (("HL-CANDLE-BEACON", 2),)),
    Case("A-1065", "C-0010", (("HL-GLASS-SPRAY", 2),)),
)

REFUNDED = (
    Paid("A-0972", 490, "Parcel came a week late: shipping paid back", 14),
    Paid("A-1020", 4690, "Cancelled before dispatch", 1),
    Paid("A-1024", 6290, "Returned within 30 days, unused", 20),
)
