"""A new project to run the demo in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interlock.cli import template
from tests.terminal import Terminal

_PAGES = ("damaged-on-arrival", "refund-approval", "refund-policy", "shipping-times")
"""Documents that the demo's message needs: to embed all of them takes ten seconds."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `interlock init` writes it, with few documents."""
    folder = template.write(tmp_path_factory.mktemp("demo"), "shop", None).folder
    for page in (folder / "memory" / "knowledge").glob("*.md"):
        if page.stem not in _PAGES:
            page.unlink()
    return folder


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Start a program at a terminal in some folder: `Terminal`."""
    opened: list[Terminal] = []

    def call(folder: Path, *command: str, **options: dict[str, str]) -> Terminal:
        opened.append(Terminal(folder, *command, **options))
        return opened[-1]

    yield call
    for one in opened:
        one.interrupt()
        one.close()
