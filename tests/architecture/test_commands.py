"""Commands that pages and messages name are there, with the options that they name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from interlock.cli.program import app

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PROGRAM: TyperGroup = typer.main.get_command(app)  # type: ignore[assignment]

_IN_WORDS = re.compile(r"`(?:\.venv/bin/)?interlock( [^`]+)`")
_ON_A_LINE = re.compile(r"^ *(?:\$ )?(?:\.venv/bin/)?interlock( .+)$", re.MULTILINE)
_BLOCK = re.compile(r"^ *```(?:bash|console|)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def named_in(text: str) -> Iterator[str]:
    """What follows the program's name, in prose and in blocks."""
    for block in _BLOCK.findall(text):
        yield from _ON_A_LINE.findall(block)
    yield from _IN_WORDS.findall(_BLOCK.sub("", text))


def wrong_in(words: str) -> str:
    """What of a command is not there; empty when all of it is."""
    said = re.split(r"  |[#&>|]", _QUOTED.sub("TEXT", words).strip())[0].split()
    found: TyperCommand | TyperGroup = PROGRAM
    known = {"--help", "--version", "--debug"}
    for word in said:
        if word.startswith("-"):
            if word.partition("=")[0] not in known | options(found):
                return f"{found.name!r} has no option {word!r}"
        elif isinstance(found, TyperGroup) and word in found.commands:
            found = found.commands[word]  # type: ignore[assignment]
        elif isinstance(found, TyperGroup) and found.name != "effects" and word.islower():
            return f"{found.name!r} has no command {word!r}"
    return ""


def options(command: TyperCommand | TyperGroup) -> set[str]:
    """Options of a command; of `effects`, those of the list that it stands for too."""
    found = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    if isinstance(command, TyperGroup) and command.name == "effects":
        found |= options(command.commands["list"])  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_commands_that_there_are(page: Path) -> None:
    """With their options."""
    wrong = {words: wrong_in(words) for words in named_in(page.read_text(encoding="utf-8"))}
    assert {words: said for words, said in wrong.items() if said} == {}


def test_messages_name_commands_that_there_are() -> None:
    """Whoever reads one can do what it says."""
    checked, wrong = 0, {}
    for path in sorted((ROOT / "interlock").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for words in _IN_WORDS.findall(_text(node)):
                checked += 1
                if said := wrong_in(words):
                    wrong[words] = f"{path.name}: {said}"
    assert wrong == {}
    assert checked > 50


def _text(node: ast.AST) -> str:
    """The text of a string, with a word in the place of its values."""
    if isinstance(node, ast.JoinedStr):
        parts = (p.value if isinstance(p, ast.Constant) else "VALUE" for p in node.values)
        return "".join(map(str, parts))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (" approve call_4f1c --yes", ""),
        (" effects --unknown", ""),
        (" policy explain RUN", ""),
        (" aprove call_4f1c", "'interlock' has no command 'aprove'"),
        (" policy expain RUN", "'policy' has no command 'expain'"),
        (" approve ID --force", "'approve' has no option '--force'"),
    ],
)
def test_what_is_not_there_is_seen(words: str, said: str) -> None:
    """A wrong word is told, a right one is not."""
    assert wrong_in(words) == said
