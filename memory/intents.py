"""Labelled customer messages, put into memory by `interlock ingest`.

The copilot takes the intent of the nearest ones, so what it understands is the same with every model.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from interlock.canonical import digest
from interlock.memory import Put

_FILE = Path(__file__).parents[1] / "agents" / "support" / "intents.yaml"


def _seeds() -> list[Put]:
    intents: dict[str, dict[str, list[str]]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return [
        Put(
            namespace=("intents",),
            key=digest([intent, example])[:16],
            value={"intent": intent, "example": example},
            index=("example",),
        )
        for intent, told in intents.items()
        for example in told["examples"]
    ]


SEEDS = _seeds()
"""One item for each example."""
