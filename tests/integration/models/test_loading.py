"""A worker has its models before it takes work."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import Client

from interlock.errors import ConfigError
from interlock.testing import worker_env


async def test_a_worker_whose_models_options_do_not_fit_does_not_start(
    server: Client, tmp_path: Path
) -> None:
    """It is told at the start, and no run finds out."""
    wrong = {"model": "openai:fake", "base_url": "http://x/v1", "options": {"temperature": "hot"}}
    with pytest.raises(ConfigError, match="'openai:fake' do not fit ChatOpenAI"):
        async with worker_env(server, tmp_path, models={"fast": {"candidates": [wrong]}}):
            pass
