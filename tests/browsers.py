"""The browser that tests drive: the system's Chromium, or the one that Playwright has installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Playwright, async_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")

HOW = (
    "no browser is here: install Debian's (`apt-get install chromium`) or Playwright's "
    "(`.venv/bin/playwright install chromium`)."
)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Open a browser without a window; a test that needs one is skipped where there is none."""
    async with async_playwright() as playwright:
        path = _path(playwright)
        if path is None:
            pytest.skip(HOW)
        # As root, as in CI, Chromium has no sandbox of its own.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = await playwright.chromium.launch(executable_path=path, args=options)
        try:
            yield browser
        finally:
            await browser.close()


def _path(playwright: Playwright) -> str | None:
    installed = next((path for name in _NAMES if (path := shutil.which(name))), None)
    own = playwright.chromium.executable_path
    return installed or (own if Path(own).exists() else None)
