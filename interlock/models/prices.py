"""What a model call cost, from the tokens it says it used."""

from __future__ import annotations

from typing import Any

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price
from langchain_core.messages.ai import UsageMetadata

from interlock.models.contract import Candidate, Usage
from interlock.models.providers import provider_and_model

_FREE = ("local", "scripted", "ollama")
"""Providers that run on the deployment's own machines."""
_PRICE_LISTS = {"openai": "openai", "anthropic": "anthropic", "mistralai": "mistral"}


def usage_of(candidate: Candidate, counted: UsageMetadata | None) -> Usage:
    """Return tokens and price of an answer; the price is None when no list has the model."""
    if counted is None:
        return Usage(cost_usd=_price(candidate, None))
    return Usage(
        input_tokens=counted["input_tokens"],
        output_tokens=counted["output_tokens"],
        cost_usd=_price(candidate, counted),
    )


def _price(candidate: Candidate, counted: UsageMetadata | None) -> float | None:
    provider, name = provider_and_model(candidate.model)
    if provider in _FREE:
        return 0.0
    if counted is None:
        return None
    # Another server has its own prices, even for a model of the same name.
    where: dict[str, Any] = (
        {"provider_api_url": candidate.base_url}
        if candidate.base_url
        else {"provider_id": _PRICE_LISTS[provider]}
    )
    details = counted.get("input_token_details", {})
    tokens = PricedUsage(
        input_tokens=counted["input_tokens"],
        cache_read_tokens=details.get("cache_read", 0),
        cache_write_tokens=details.get("cache_creation", 0),
        output_tokens=counted["output_tokens"],
    )
    try:
        return float(calc_price(tokens, name, **where).total_price)
    except LookupError:
        return None
