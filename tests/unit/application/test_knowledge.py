"""The knowledge documents: well-formed, complete, and true to what the tools do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interlock.memory.documents import chunks_of, read_folder
from tools.contracts import LOW_REFUND, MEDIUM_REFUND
from tools.service.catalogue import ARTICLES, ZONES

Documents = dict[str, tuple[dict[str, Any], str]]


def test_front_matter_names_each_document_once(documents: Documents) -> None:
    """Every document has an id equal to its file name, a title of its own, and tags."""
    for name, (front, _) in documents.items():
        assert set(front) == {"id", "title", "tags"}, name
        assert front["id"] == name
        assert isinstance(front["title"], str)
        assert front["tags"], name
        assert all(isinstance(tag, str) for tag in front["tags"])
    titles = [front["title"] for front, _ in documents.values()]
    assert len(set(titles)) == len(titles)


def test_the_engine_reads_every_document(documents: Documents) -> None:
    """What `interlock ingest` takes from the folder has the ids and titles of the front matter."""
    read = read_folder(Path(__file__).parents[3] / "memory" / "knowledge")
    assert {document.id: document.title for document in read} == {
        name: front["title"] for name, (front, _) in documents.items()
    }
    assert all(chunks_of(document, "knowledge") for document in read)


def test_there_are_enough_documents_of_a_readable_length(documents: Documents) -> None:
    """There are at least 30 documents of 80 to 400 words."""
    assert len(documents) >= 30
    lengths = {name: len(body.split()) for name, (_, body) in documents.items()}
    assert {name: n for name, n in lengths.items() if not 80 <= n <= 400} == {}


def test_references_between_documents_lead_somewhere(documents: Documents) -> None:
    """What a document calls 'see "..."' is the title of another document."""
    titles = [front["title"].casefold() for front, _ in documents.values()]
    for name, (_, body) in documents.items():
        flat = " ".join(body.split())
        for part in flat.split('see "')[1:]:
            wanted = part.split('"')[0].rstrip(".").casefold()
            assert any(title.startswith(wanted) for title in titles), f"{name}: {wanted}"


def test_refund_policy_states_the_thresholds_of_the_tool(documents: Documents) -> None:
    """The limits of low and medium risk are those of the refund tool."""
    _, internal = documents["refund-approval"]
    assert f"up to {LOW_REFUND:.2f} EUR | low" in internal
    assert f"to {MEDIUM_REFUND:.2f} EUR | medium" in internal
    assert f"over {MEDIUM_REFUND:.2f} EUR | high" in internal
    _, public = documents["refund-policy"]
    assert f"over {LOW_REFUND} EUR" in public
    assert f"over {MEDIUM_REFUND} EUR" in " ".join(public.split())


def test_shipping_documents_state_the_prices_of_the_shop(documents: Documents) -> None:
    """Costs, free limits and times by country are those that orders are seeded with."""
    _, costs = documents["shipping-costs"]
    _, times = documents["shipping-times"]
    for zone in ZONES:
        free = "never" if zone.free_from_cents is None else f"{zone.free_from_cents // 100} EUR"
        assert f"| {zone.cost_cents / 100:.2f} EUR | {free} |" in costs, zone.name
        fastest, slowest = zone.days
        assert f"| {fastest} to {slowest}" in times, zone.name
        assert zone.carrier in times


def test_prices_of_parts_are_those_of_the_shop(documents: Documents) -> None:
    """Parts that are also articles cost the same in both places."""
    _, parts = documents["spare-parts"]
    for article in ARTICLES:
        if article.sku in ("HL-SHADE-FJORD", "HL-BULB-E27"):
            row = f"| {article.name} | {article.price_cents / 100:.2f} EUR |"
            assert row.casefold() in parts.casefold()


def test_sold_out_article_is_the_one_the_documents_name(documents: Documents) -> None:
    """The only article without stock is the one on back-order."""
    sold_out = [article.name for article in ARTICLES if article.stock == 0]
    assert sold_out == ["'Skerry' glass carafe"]
    assert sold_out[0] in documents["back-orders"][1]
