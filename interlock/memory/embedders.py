"""Embedders: the small offline model, and a hashing one that needs no model file."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from interlock.errors import ModelFileCorrupt, ModelMissing

_Vectors = npt.NDArray[np.float32]

_BATCH = 32
_MAX_TOKENS = 256


class MiniLM:
    """The int8 all-MiniLM-L6-v2 under onnxruntime: English, 384 dimensions, 256 tokens of a text.

    Nothing is loaded before the first text. May be used from several threads.
    """

    name = "minilm-int8"
    dimensions = 384

    def __init__(self, model_path: Path, tokenizer_path: Path, threads: int = 2) -> None:
        self._model_path = model_path
        self._tokenizer_path = tokenizer_path
        self._threads = threads
        self._loading = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector of length 1 for each text.

        Raises:
            ModelMissing: a file is not there.
            ModelFileCorrupt: a file cannot be read as a model or a tokenizer.
        """
        session, tokenizer = self._load()
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        # Texts of like length share a batch, so that little of it is padding.
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), _BATCH):
            places = order[start : start + _BATCH]
            tokens = tokenizer.encode_batch([texts[place] for place in places])
            ids = np.array([entry.ids for entry in tokens], np.int64)
            mask = np.array([entry.attention_mask for entry in tokens], np.int64)
            inputs = {
                "input_ids": ids,
                "attention_mask": mask,
                "token_type_ids": np.zeros_like(ids),
            }
            vectors[places] = _pool(session.run(None, inputs)[0], mask)
        return _as_lists(vectors)

    def _load(self) -> tuple[Any, Any]:
        with self._loading:
            if self._loaded is None:
                self._loaded = (self._open_session(), self._open_tokenizer())
            return self._loaded

    def _open_session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        # Spinning threads would take the machine from everything else that runs on it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = _existing(self._model_path)
        try:
            return onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise _corrupt(path, "an ONNX model") from error

    def _open_tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        path = _existing(self._tokenizer_path)
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:
            raise _corrupt(path, "a tokenizer") from error
        tokenizer.enable_truncation(_MAX_TOKENS)
        tokenizer.enable_padding()
        return tokenizer


class Hashing:
    """Words and their three-letter pieces, hashed: needs no file and finds only shared spelling."""

    def __init__(self, dimensions: int = 384) -> None:
        self.name = "hashing"
        self.dimensions = dimensions

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector of length 1 for each text; the same on every machine."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for piece in _pieces(text):
                code = zlib.crc32(piece.encode("utf-8", "replace"))
                vector[code % self.dimensions] += 1.0 if code & 0x8000_0000 else -1.0
            if not vector.any():
                vector[0] = 1.0
        return _as_lists(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _pieces(text: str) -> list[str]:
    words = ["".join(filter(str.isalnum, word)) for word in text.casefold().split()]
    return [
        piece
        for word in words
        if word
        for piece in (word, *(f"^{word}$"[at : at + 3] for at in range(len(word))))
    ]


def _pool(hidden: _Vectors, mask: npt.NDArray[np.int64]) -> _Vectors:
    weights = mask[..., None]
    means = (hidden * weights).sum(1) / np.clip(weights.sum(1), 1, None)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


def _as_lists(vectors: _Vectors) -> list[list[float]]:
    lists: list[list[float]] = vectors.tolist()
    return lists


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise ModelMissing(
            f"no embedder file at {str(path)!r}. Run `interlock models pull`, or set "
            "memory.embedder to 'hashing' (for tests)."
        )
    return path


def _corrupt(path: Path, kind: str) -> ModelFileCorrupt:
    return ModelFileCorrupt(
        f"{str(path)!r} cannot be read as {kind}. Run `interlock models verify`, then "
        "`interlock models pull`."
    )
