"""The real model files and one local model server for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from interlock.models.files import default_folder, pull
from interlock.models.local import LocalModels


@pytest.fixture(scope="session")
def model_files() -> Path:
    """Pull the small model files, or find them in the user's cache, and return their folder."""
    pull(("default",), default_folder())
    return default_folder()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local_models(model_files: Path) -> AsyncIterator[LocalModels]:
    """Run local models for the test session."""
    made = LocalModels(model_files)
    yield made
    await made.aclose()
