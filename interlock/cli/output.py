"""What commands print: text for people, or one JSON value for programs; notes go to stderr.

Text that comes from models, tools or customers is shown with its control characters spelled out: a
reviewer has to see what is there, and not what an escape sequence makes of it.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from interlock.visible import visible

_WIDE = 200
"""Columns where no terminal says how many it has."""


class Output:
    """Where one command prints.

    Args:
        as_json: Print the answer as JSON, and what else there is to say on stderr.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._answers = _console(sys.stdout)
        self._notes = _console(sys.stderr)

    @property
    def is_interactive(self) -> bool:
        """Whether a person at a terminal can be asked."""
        return not self.as_json and sys.stdin.isatty() and sys.stdout.isatty()

    def answer(self, data: Any, *text: RenderableType, one_line: bool = False) -> None:
        """Print what the command was asked for: `data` as JSON, or `text`."""
        if self.as_json:
            self.write(to_json(data, one_line=one_line) + "\n")
        else:
            self.say(*text)

    def say(self, *text: RenderableType) -> None:
        """Print lines for people, on stderr when stdout is for JSON."""
        console = self._notes if self.as_json else self._answers
        for item in text:
            console.print(visible(item) if isinstance(item, str) else item)

    def note(self, text: RenderableType) -> None:
        """Print a remark on stderr."""
        self._notes.print(visible(text) if isinstance(text, str) else text, style="dim")

    def write(self, text: str) -> None:
        """Print text exactly as it is, for a file or another program."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question; no is the default."""
        answer = self._answers.input(Text(f"{question} [y/N] ", style="bold"))
        return answer.strip().lower() in ("y", "yes")

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Say on stderr what is being done while the block runs."""
        if self._notes.is_terminal:
            with self._notes.status(Text(what)):
                yield
        else:
            self._notes.print(what)
            yield

    @property
    def notes(self) -> Console:
        """The console on stderr, for progress bars."""
        return self._notes


def to_json(data: Any, *, one_line: bool = False) -> str:
    """Return `data` (JSON types, pydantic models, lists of them) as JSON text."""
    from pydantic_core import to_jsonable_python

    plain = to_jsonable_python(data, inf_nan_mode="strings")
    return json.dumps(plain, ensure_ascii=False, indent=None if one_line else 2)


def line(*parts: str | tuple[str, str]) -> Text:
    """Return one line of plain and (text, style) parts."""
    cleaned = [visible(p) if isinstance(p, str) else (visible(p[0]), p[1]) for p in parts]
    return Text.assemble(*cleaned)


def program() -> str:
    """Return what starts this program at a terminal in this folder: its name, or its path."""
    path = Path(sys.executable).with_name("interlock")  # of an environment that is not active
    found = shutil.which("interlock")
    if not path.exists() or (found and path.samefile(found)):
        return "interlock"
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """Return a table without lines, whose cells wrap and are never cut."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(visible(cell)) if isinstance(cell, str) else cell for cell in row))
    return made


def _console(stream: Any) -> Console:
    made = Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True)
    if not made.is_terminal:
        made.width = max(made.width, _WIDE)
    return made
