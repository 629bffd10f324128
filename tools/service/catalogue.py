"""What Harbour Lane sells and what sending it costs; the knowledge documents say the same."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Article:
    """One article, with the stock a fresh CRM starts with."""

    sku: str
    name: str
    price_cents: int
    stock: int = 400


@dataclass(frozen=True)
class Zone:
    """Countries that share prices and times of sending."""

    name: str
    countries: tuple[str, ...]
    cost_cents: int
    free_from_cents: int | None
    """Value of goods from which sending is free; None for never."""
    days: tuple[int, int]
    """Shortest and longest time on the way, in working days."""
    carrier: str


ARTICLES = (
    Article("HL-LAMP-FJORD", "'Fjord' ceramic lamp", 8900),
    Article("HL-LAMP-SKAGEN", "'Skagen' pendant lamp", 12900),
    Article("HL-LAMP-PHAROS", "'Pharos' reading lamp", 6400),
    Article("HL-LAMP-LIGHTSHIP", "'Lightship' rechargeable lantern", 7900),
    Article("HL-SHADE-FJORD", "Linen shade for 'Fjord'", 2400),
    Article("HL-BULB-E27", "LED bulb E27, warm white", 750),
    Article("HL-MUG-TIDE", "'Tide' mug", 1650),
    Article("HL-BOWL-COVE", "'Cove' serving bowl", 3800),
    Article("HL-PLATE-SHORE", "'Shore' dinner plate", 2200),
    Article("HL-VASE-MARRAM", "'Marram' vase", 4600),
    Article("HL-CARAFE-SKERRY", "'Skerry' glass carafe", 3400, stock=0),
    Article("HL-GLASS-SPRAY", "'Spray' tumblers, set of four", 2800),
    Article("HL-KETTLE-GALLEY", "'Galley' enamel kettle", 5800),
    Article("HL-BOARD-QUAY", "'Quay' oak board", 3600),
    Article("HL-CLOCK-EBB", "'Ebb' wall clock", 7200),
    Article("HL-CANDLE-BEACON", "'Beacon' beeswax candle", 1400),
    Article("HL-THROW-INISHEER", "'Inisheer' wool throw", 9500),
    Article("HL-CUSHION-DRIFT", "'Drift' linen cushion cover", 2900),
    Article("HL-TOWEL-KELP", "'Kelp' linen tea towel", 1250),
    Article("HL-APRON-DOCK", "'Dock' canvas apron", 4200),
    Article("HL-BAG-SAIL", "'Sail' sailcloth tote", 4800),
    Article("HL-SWEATER-HARBOUR-S", "'Harbour' wool sweater, size S", 13800),
    Article("HL-SWEATER-HARBOUR-M", "'Harbour' wool sweater, size M", 13800),
    Article("HL-SWEATER-HARBOUR-L", "'Harbour' wool sweater, size L", 13800),
    Article("HL-SOCK-KEEL-M", "'Keel' wool socks, 36-40", 1800),
    Article("HL-SOCK-KEEL-L", "'Keel' wool socks, 41-46", 1800),
    Article("HL-SLIPPER-MOORING-39", "'Mooring' felt slippers, 39", 5400),
    Article("HL-SLIPPER-MOORING-42", "'Mooring' felt slippers, 42", 5400),
)

ZONES = (
    Zone("Ireland", ("IE",), 490, 6000, (1, 2), "Tidewater Post"),
    Zone("EU 1", ("AT", "BE", "DE", "FR", "LU", "NL"), 890, 12000, (3, 5), "Tidewater Post"),
    Zone(
        "EU 2",
        ("CZ", "DK", "EE", "ES", "FI", "IT", "PL", "PT", "SE"),
        1290,
        15000,
        (4, 7),
        "Tidewater Post",
    ),
    Zone("United Kingdom", ("GB",), 990, 12000, (3, 5), "Northline Parcel"),
    Zone("Norway and Switzerland", ("CH", "NO"), 1990, None, (5, 8), "Northline Parcel"),
)

_FREE_FOR_CAPTAINS = ("Ireland", "EU 1", "EU 2")


def zone_of(country: str) -> Zone:
    """Return the zone of a country (two letters)."""
    return next(zone for zone in ZONES if country in zone.countries)


def shipping_cents(country: str, goods_cents: int, club_tier: str) -> int:
    """Return what sending an order costs the customer."""
    zone = zone_of(country)
    if club_tier == "captain" and zone.name in _FREE_FOR_CAPTAINS:
        return 0
    free = zone.free_from_cents is not None and goods_cents >= zone.free_from_cents
    return 0 if free else zone.cost_cents
