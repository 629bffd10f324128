"""Embedders: the hashing one, and how the model's files are missed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import ModelFileCorrupt, ModelMissing
from interlock.memory import Embedder
from interlock.memory.embedders import Hashing, MiniLM


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_hashing_gives_every_text_a_vector_of_length_one(texts: list[str]) -> None:
    """Any text, the empty one too, has one finite vector, alone the same as among others."""
    embedder = Hashing(64)
    vectors = np.array(embedder.embed(texts))
    assert vectors.shape == (len(texts), 64)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-6)
    assert embedder.embed(texts[:1]) == [vectors[0].tolist()]


def test_hashing_is_fixed() -> None:
    """Vectors are the same in every process, since stored ones are compared with new ones."""
    (vector,) = Hashing(8).embed(["Hello, hello world"])
    assert np.array(vector) / vector[3] == pytest.approx([-2, -2, 0, 1, 3, 0, -3, -1])
    assert Hashing(8).embed(["hello HELLO world!"]) == [vector]


def test_shared_words_make_texts_similar() -> None:
    """A text is nearer to one that shares words or their beginnings than to one that does not."""
    asked, near, far = np.array(
        Hashing().embed(["refund of a broken lamp", "refunding broken lamps", "opening hours"])
    )
    assert asked @ near > 0.4 > 0.2 > asked @ far


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """Nothing is read before the first text; then the error names the file and the command."""
    minilm: Embedder = MiniLM(tmp_path / "model.onnx", tmp_path / "tokenizer.json")
    assert (minilm.name, minilm.dimensions) == ("minilm-int8", 384)
    with pytest.raises(ModelMissing, match="interlock models pull") as caught:
        minilm.embed(["text"])
    assert str(tmp_path / "model.onnx") in caught.value.message


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """A file that is no model is reported as corrupt, with the commands that put it right."""
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileCorrupt, match="interlock models verify") as caught:
        MiniLM(tmp_path / "model.onnx", tmp_path / "tokenizer.json").embed(["text"])
    assert str(tmp_path / "model.onnx") in caught.value.message
