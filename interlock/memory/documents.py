"""Markdown documents and the chunks they are cut into. Pure functions of text, but for reading files.

A document may begin with a front matter of `key: value` lines between two `---` lines. `id`, `title`
and `tags` are read from it; other keys are left alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from interlock.canonical import digest
from interlock.errors import ConfigError

CHUNK_CHARS = 800
"""Longest text of a chunk, about: the embedder reads 256 tokens, and a model's prompt is short."""
OVERLAP_CHARS = 120
"""Text repeated from the chunk before, when a section is cut: a sentence or two."""

_FENCE = re.compile(r"^\s*(```|~~~)")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class Document(NamedTuple):
    """One Markdown file."""

    id: str
    title: str
    tags: tuple[str, ...]
    path: str
    """Below its folder, with '/'."""
    text: str


class Chunk(NamedTuple):
    """One piece of a document, as it is stored."""

    key: str
    """Document, heading and ordinal under that heading: stable while other sections change."""
    value: dict[str, Any]
    """title, heading, text, source, document, tags and hash."""


def read_folder(folder: Path) -> list[Document]:
    """Read every Markdown file below `folder`, by path.

    Raises:
        ConfigError: no such folder, a file that cannot be read, or one id used twice.
    """
    if not folder.is_dir():
        raise ConfigError(f"knowledge folder {str(folder)!r} is not there. Correct `knowledge`.")
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.md"))
    visible = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    documents = [read_file(folder, path.as_posix()) for path in visible]
    seen: dict[str, str] = {}
    for document in documents:
        other = seen.setdefault(document.id, document.path)
        if other != document.path:
            raise ConfigError(
                f"{document.path!r} and {other!r} both have the id {document.id!r}. Give one of "
                "them another `id` in its front matter."
            )
    return documents


def read_file(folder: Path, path: str) -> Document:
    """Read one Markdown file below `folder`.

    Raises:
        ConfigError: the file cannot be read, is not UTF-8, or its front matter does not end.
    """
    try:
        text = (folder / path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"document {path!r} cannot be read as UTF-8 text: {error}.") from error
    return parse(text, path)


def parse(text: str, path: str) -> Document:
    """Return the document that a file's text is.

    Raises:
        ConfigError: its front matter does not end, or has a line that is not `key: value`.
    """
    fields, body = _front_matter(text, path)
    body = clean(body)
    stem = path.removesuffix(".md")
    title = _single(fields, "title") or _first_heading(body) or stem.rpartition("/")[2]
    tags = tuple(fields.get("tags", []))
    return Document(_single(fields, "id") or stem, title, tags, path, body)


def clean(text: str) -> str:
    """Drop comments, trailing blanks and runs of empty lines."""
    lines = (line.rstrip() for line in _COMMENT.sub("", text).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def chunks_of(document: Document, source: str) -> list[Chunk]:
    """Cut a document by its headings, and long sections by size.

    Args:
        document: What to cut.
        source: What a citation of it names.
    """
    counts: Counter[str] = Counter()
    found = []
    for heading, body in _sections(document):
        slug = "-".join(re.findall(r"\w+", heading.casefold()))
        for piece in _pieces(body):
            counts[slug] += 1
            value = {
                "title": document.title,
                "heading": heading,
                "text": piece,
                "source": source,
                "document": document.id,
                "tags": list(document.tags),
            }
            key = f"{document.id}#{slug}.{counts[slug]}"
            found.append(Chunk(key, value | {"hash": digest(value)}))
    return found


def _front_matter(text: str, path: str) -> tuple[dict[str, list[str]], str]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return {}, text
    marks = [number for number, line in enumerate(lines) if line.strip() in ("---", "...")]
    if len(marks) < 2:
        raise ConfigError(f"{path!r}: the front matter has no closing '---' line.")
    return _fields(lines[1 : marks[1]], path), "\n".join(lines[marks[1] + 1 :])


def _fields(lines: list[str], path: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        item = line.strip()
        if not item or item.startswith("#"):
            continue
        if item.startswith("- ") and key:
            fields[key].append(_unquoted(item[2:]))
            continue
        key, colon, rest = (part.strip() for part in item.partition(":"))
        if not colon or not key:
            raise ConfigError(f"{path!r}: front matter line {line!r} is not 'key: value'.")
        if rest.startswith("[") and rest.endswith("]"):
            fields[key] = [_unquoted(part) for part in rest[1:-1].split(",") if part.strip()]
        else:
            fields[key] = [_unquoted(rest)] if rest else []
    return fields


def _unquoted(text: str) -> str:
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _single(fields: dict[str, list[str]], key: str) -> str:
    return " ".join(fields.get(key, []))


def _first_heading(body: str) -> str:
    return next((found[2] for line in body.splitlines() if (found := _HEADING.match(line))), "")


def _sections(document: Document) -> Iterator[tuple[str, str]]:
    """Yield each section's headings below the title, joined by ' > ', and its text."""
    levels: dict[int, str] = {}
    lines: list[str] = []
    fenced = False
    for line in document.text.splitlines():
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        yield _heading(levels, document.title), "\n".join(lines).strip()
        lines = []
        level = len(heading[1])
        levels = {above: name for above, name in levels.items() if above < level}
        levels[level] = heading[2]
    yield _heading(levels, document.title), "\n".join(lines).strip()


def _heading(levels: dict[int, str], title: str) -> str:
    return " > ".join(name for name in levels.values() if name != title)


def _pieces(body: str) -> Iterator[str]:
    """Yield texts of about `CHUNK_CHARS`, cut between paragraphs, else sentences, else words."""
    piece = ""
    for part in _parts(body):
        if piece and len(piece) + len(part) > CHUNK_CHARS:
            yield piece.strip()
            piece = _tail(piece)
        piece += part
    if piece.strip():
        yield piece.strip()


def _parts(body: str) -> Iterator[str]:
    for paragraph in re.split(r"\n{2,}", body):
        if len(paragraph) <= CHUNK_CHARS:
            yield paragraph + "\n\n"
            continue
        sentences = [
            sentence[start : start + CHUNK_CHARS]
            for sentence in _SENTENCE_END.split(paragraph)
            for start in range(0, len(sentence), CHUNK_CHARS)
        ]
        yield from (f"{sentence} " for sentence in sentences[:-1])
        yield f"{sentences[-1]}\n\n"


def _tail(piece: str) -> str:
    """Return the last sentences of a piece that fit into the overlap."""
    kept = ""
    for sentence in reversed(_SENTENCE_END.split(piece.strip())):
        if len(kept) + len(sentence) >= OVERLAP_CHARS:
            break
        kept = f"{sentence} {kept}"
    return kept
