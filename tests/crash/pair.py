"""Agents (a) and (b) of `tests.graphs` as a worker process hosts them, and a script for both."""

from __future__ import annotations

from typing import Any

from tests.graphs import everything as make_everything
from tests.graphs import shopper as make_shopper

everything = make_everything()
shopper = make_shopper()

MESSAGES: dict[str, str | dict[str, Any]] = {
    "everything": {
        "messages": ["buy these"],
        "account": "pair",
        "articles": ["lamp", "rug", "vase"],
    },
    "shopper": "pay once",
}
"""Input of each agent."""

_CALLS = [
    {"name": "price_of", "args": {"article": "lamp"}, "id": "c0"},
    {"name": "pay", "args": {"account": "pair", "amount": 7}, "id": "c1"},
]

SCRIPT: dict[str, Any] = {
    "conversations": {
        "everything": {
            "when": "buy these",
            "steps": [{"answer": {"text": "start"}}, {"answer": {"text": "I would buy."}}],
        },
        "shopper": {
            "when": "pay once",
            "steps": [
                {"answer": {"tool_calls": _CALLS}},
                {"expect": {"role": "tool"}, "answer": {"text": "Done."}},
            ],
        },
    }
}
"""What the model says."""
