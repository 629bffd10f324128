"""The catalogue's rows are complete and its bundles resolve."""

from __future__ import annotations

import re

import pytest

from interlock.errors import ModelMissing
from interlock.models.catalogue import BUNDLES, CATALOGUE, Url, expand, find


@pytest.mark.parametrize("file", CATALOGUE, ids=lambda file: file.name)
def test_every_row_can_be_checked_and_pulled(file) -> None:
    """Each row has a whole hash, a size, a licence and a source that needs no hub."""
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert file.size > 0
    assert file.licence == "Apache-2.0"
    assert any(not isinstance(source, Url) for source in file.sources)
    assert bool(file.context) == file.file_name.endswith(".gguf")


def test_names_are_unique() -> None:
    """No two rows share a name or a place on disk."""
    assert len({file.name for file in CATALOGUE}) == len(CATALOGUE)
    assert len({file.file_name for file in CATALOGUE}) == len(CATALOGUE)


def test_the_default_bundle_is_the_embedder_and_the_small_model() -> None:
    """`interlock models pull` without a name brings what the demo needs, and no more."""
    assert [file.name for file in expand(("default",))] == [
        "minilm-int8",
        "minilm-tokenizer",
        "smollm2-135m",
    ]


def test_names_and_bundles_overlap_without_doubles() -> None:
    """A file that is asked for twice is meant once."""
    names = [file.name for file in expand(("smollm2-135m", "all", "default"))]
    assert sorted(names) == sorted(BUNDLES["all"])


def test_an_unknown_name_is_refused() -> None:
    """The error lists what there is."""
    with pytest.raises(ModelMissing, match="Known: minilm-int8"):
        find("gpt-9")
