"""Documents become clean chunks with stable keys."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.errors import ConfigError
from interlock.memory.documents import (
    CHUNK_CHARS,
    OVERLAP_CHARS,
    Document,
    chunks_of,
    clean,
    parse,
    read_folder,
)

TEXT = """\
---
id: refunds
title: "Refunds: the rules"
tags: [money, 'returns']
author: someone
---
# Refunds: the rules

Intro.

## Broken items

Send a photo.

```python
# not a heading
```

### Glass

Handle with care.   <!-- internal: check with legal -->

## Broken items

Said twice.

## Empty
"""


def document(text: str) -> Document:
    """Return a document of some text."""
    return Document("doc", "Title", (), "doc.md", clean(text))


def test_front_matter_names_the_document() -> None:
    """Id, title and tags come from the front matter; other keys are left alone."""
    found = parse(TEXT, "money/refunds.md")
    assert (found.id, found.title, found.tags) == (
        "refunds",
        "Refunds: the rules",
        ("money", "returns"),
    )
    assert found.path == "money/refunds.md"
    assert found.text.startswith("# Refunds: the rules\n\nIntro.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# First heading #\n\nText.", ("a/file", "First heading", ())),
        ("Text only.", ("a/file", "file", ())),
        (
            "---\ntags:\n  - one\n  - two words\n# comment\n---\nx",
            ("a/file", "file", ("one", "two words")),
        ),
        ("---\r\nid: x\r\n---\r\n# T\r\n", ("x", "T", ())),
        ("---\ntitle:\ntags: []\n---\n", ("a/file", "file", ())),
        ("", ("a/file", "file", ())),
    ],
)
def test_what_is_not_said_is_found(text: str, expected: tuple[str, str, tuple[str, ...]]) -> None:
    """Without a front matter the path is the id, and the first heading or the name the title."""
    found = parse(text, "a/file.md")
    assert (found.id, found.title, found.tags) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("---\nid: x\n\n# Title\n", "no closing '---'"),
        ("---\njust words\n---\n", "'just words' is not 'key: value'"),
        ("---\n- item\n---\n", "'- item' is not 'key: value'"),
    ],
)
def test_a_bad_front_matter_is_named(text: str, words: str) -> None:
    """The error has the file and the line."""
    with pytest.raises(ConfigError, match=words) as caught:
        parse(text, "a/file.md")
    assert "'a/file.md'" in caught.value.message


def test_a_document_is_cut_by_its_headings() -> None:
    """A chunk per section with text, its headings as a path, code and comments understood."""
    chunks = chunks_of(parse(TEXT, "refunds.md"), "faq/refunds.md")
    assert [(chunk.key, chunk.value["heading"]) for chunk in chunks] == [
        ("refunds#.1", ""),
        ("refunds#broken-items.1", "Broken items"),
        ("refunds#broken-items-glass.1", "Broken items > Glass"),
        ("refunds#broken-items.2", "Broken items"),
    ]
    assert chunks[1].value["text"] == "Send a photo.\n\n```python\n# not a heading\n```"
    assert chunks[2].value["text"] == "Handle with care."
    assert {chunk.value["source"] for chunk in chunks} == {"faq/refunds.md"}


def test_a_chunk_changes_only_with_its_own_content() -> None:
    """Keys and hashes of other sections stay when one is inserted or edited."""
    before = {c.key: c.value["hash"] for c in chunks_of(parse(TEXT, "r.md"), "s")}
    edited = TEXT.replace("Intro.", "Intro.\n\n## New\n\nNews.").replace("photo", "picture")
    after = {c.key: c.value["hash"] for c in chunks_of(parse(edited, "r.md"), "s")}
    assert after.keys() - before.keys() == {"refunds#new.1"}
    assert {key for key, found in before.items() if after[key] != found} == {
        "refunds#broken-items.1"
    }


def test_long_sections_are_cut_with_an_overlap() -> None:
    """A piece ends at a sentence, is about as long as allowed, and repeats the last words."""
    sentences = [f"Sentence number {number} says something of its own." for number in range(60)]
    pieces = [c.value["text"] for c in chunks_of(document(" ".join(sentences)), "s")]
    assert len(pieces) > 3
    for piece, following in pairwise(pieces):
        assert piece.endswith(".")
        assert len(piece) <= CHUNK_CHARS + OVERLAP_CHARS
        assert piece.splitlines()[-1].split(". ")[-1] in following
    assert all(sentence in " ".join(pieces) for sentence in sentences)


@given(st.text(st.sampled_from("ab .!?\n#`-"), max_size=3000))
def test_no_text_is_lost_and_no_piece_is_too_long(text: str) -> None:
    """Whatever the text, all its words outside headings are in the chunks, none of them empty."""
    pieces = [chunk.value["text"] for chunk in chunks_of(document(text), "s")]
    assert all(piece and len(piece) <= CHUNK_CHARS + OVERLAP_CHARS + 2 for piece in pieces)
    lines = [line for line in clean(text).splitlines() if not line.lstrip().startswith("#")]
    words = {word for word in " ".join(lines).split() if len(word) <= CHUNK_CHARS}
    kept = " ".join(pieces)
    assert all(word in kept for word in words)


def test_a_folder_is_read_by_path(tmp_path: Path) -> None:
    """Markdown files of all levels are read in order; hidden ones and others are not."""
    for name in ("b.md", "a/z.md", "a/y.md", ".hidden/x.md", ".x.md", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# T\n\nText.")
    assert [found.path for found in read_folder(tmp_path)] == ["a/y.md", "a/z.md", "b.md"]


def test_an_id_twice_is_refused(tmp_path: Path) -> None:
    """The error names both files and the id."""
    for name in ("one.md", "two.md"):
        (tmp_path / name).write_text("---\nid: same\n---\n# T\n")
    with pytest.raises(ConfigError, match=r"'two.md' and 'one.md' both have the id 'same'"):
        read_folder(tmp_path)


def test_unreadable_places_are_named(tmp_path: Path) -> None:
    """A missing folder and a file that is not UTF-8 are errors of configuration."""
    with pytest.raises(ConfigError, match="nowhere"):
        read_folder(tmp_path / "nowhere")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    with pytest.raises(ConfigError, match=r"'latin.md' cannot be read as UTF-8"):
        read_folder(tmp_path)
