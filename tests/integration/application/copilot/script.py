"""What the scripted model of these tests says, by words of the customer's message."""

from __future__ import annotations

from typing import Any

_NOTHING = {"article": "", "pieces": 0, "amount": "", "quote": ""}


def _copilot(words: str, draft: str, **wish: Any) -> dict[str, Any]:
    return {
        "when": words,
        "pick": "match",
        "steps": [
            {"expect": {"schema": "Wish"}, "answer": {"json": {**_NOTHING, **wish}}},
            {
                "expect": {"schema": "NewAddress"},
                "answer": {"json": {"street": "", "postal_code": "", "city": ""}},
            },
            {"expect": {"system": "You write for Harbour Lane"}, "answer": {"text": draft}},
        ],
    }


REFUNDED = (
    "We are sorry about the trouble with order A-1042, Maya. We have refunded 89.00 EUR to your "
    "original payment method."
)
"""A draft that says what is so."""

_ASSISTANT: dict[str, Any] = {
    "when": "for the assistant",
    "steps": [
        {
            "answer": {
                "tool_calls": [
                    {"name": "order_lookup", "args": {"order_id": "A-1039"}, "id": "c1"},
                    {"name": "knowledge_search", "args": {"query": "arrived broken"}, "id": "c2"},
                ]
            }
        },
        {
            "expect": {"tool": "knowledge_search", "text": "refund"},
            "answer": {
                "tool_calls": [
                    {
                        "name": "refund",
                        "args": {"order_id": "A-1039", "amount": "54.9", "reason": "Vase broken"},
                        "id": "c3",
                    }
                ]
            },
        },
        {
            "expect": {"tool": "refund", "text": "R-"},
            "answer": {"text": "Your money is on its way."},
        },
    ],
}

SCRIPT: dict[str, Any] = {
    "conversations": {
        "good": _copilot("A-1042 arrived broken", REFUNDED, quote="arrived broken"),
        "invented": _copilot(
            "spout of the kettle", "We have sent you two kettles and a voucher for 50 EUR. Enjoy!"
        ),
        "assistant": _ASSISTANT,
        "silent": _copilot("", ""),
    }
}
