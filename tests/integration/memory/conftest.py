"""The real embedder, from the model files that the catalogue pulls."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.memory.embedders import MiniLM
from interlock.models import files

DOCUMENTS = Path(__file__).parent / "documents"


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """Give the int8 MiniLM; its verified files are pulled once per user."""
    model, tokenizer = files.pull(("minilm-int8", "minilm-tokenizer"))
    return MiniLM(model, tokenizer)


@pytest.fixture
def documents() -> Path:
    """Give a folder of documents of a small shop."""
    return DOCUMENTS
