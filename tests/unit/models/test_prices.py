"""Prices of model calls."""

from __future__ import annotations

import pytest

from interlock.models.contract import Candidate
from interlock.models.prices import usage_of

COUNTED = {"input_tokens": 1_000_000, "output_tokens": 1_000_000, "total_tokens": 2_000_000}


@pytest.mark.parametrize(
    ("reference", "price"),
    [
        ("openai:gpt-4o-mini", 0.15 + 0.60),
        ("local:smollm2-135m", 0.0),
        ("scripted:script.yaml", 0.0),
        ("ollama:llama3.2", 0.0),
        ("openai:no-such-model", None),
    ],
)
def test_price_by_model(reference, price) -> None:
    """Known models have a price, one's own machine is free, and unknown is not nothing."""
    found = usage_of(Candidate(model=reference), COUNTED)
    assert found.input_tokens == 1_000_000
    assert found.cost_usd == (None if price is None else pytest.approx(price))


@pytest.mark.parametrize(
    "provider", ["anthropic:claude-sonnet-4-5", "mistralai:mistral-large-latest"]
)
def test_other_providers_have_price_lists(provider) -> None:
    """Each hosted provider's models are found."""
    assert usage_of(Candidate(model=provider), COUNTED).cost_usd > 0


def test_cached_tokens_are_cheaper() -> None:
    """Tokens read from the provider's cache are priced as such."""
    cached = {**COUNTED, "input_token_details": {"cache_read": 1_000_000}}
    candidate = Candidate(model="openai:gpt-4o-mini")
    assert usage_of(candidate, cached).cost_usd < usage_of(candidate, COUNTED).cost_usd


def test_another_server_is_not_priced_as_openai() -> None:
    """A model of the same name behind another address has no known price."""
    candidate = Candidate(model="openai:gpt-4o-mini", base_url="http://127.0.0.1:8000/v1")
    assert usage_of(candidate, COUNTED).cost_usd is None


def test_no_count_is_no_price() -> None:
    """Without usage nothing is known, except that a local model is free."""
    assert usage_of(Candidate(model="openai:gpt-4o-mini"), None).cost_usd is None
    assert usage_of(Candidate(model="local:smollm2-135m"), None).cost_usd == 0.0
