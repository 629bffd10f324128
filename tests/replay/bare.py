"""Replays every golden history in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SEEDS = ("0", "1", "2", "42", "4242")
"""Values of PYTHONHASHSEED: with each, sets have another order."""
SAMPLE = ("1", "4242")
"""Those of every plain test run."""

LIBRARIES = (
    "aiosqlite",
    "alembic",
    "anthropic",
    "chromadb",
    "langchain_anthropic",
    "langchain_mistralai",
    "langchain_ollama",
    "langchain_openai",
    "ollama",
    "onnxruntime",
    "openai",
    "psycopg",
    "sqlalchemy",
    "sqlmodel",
    "tokenizers",
    "xllamacpp",
)
"""What no replay may need: databases, Chroma, the embedder's libraries and those of providers."""

_SCRIPT = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None
import asyncio, json
import interlock
from interlock.replay import replay
from tests.replay.deployment import NAMES, code, golden
async def main():
    today = code()
    return {name: (await replay(golden(name), today)).model_dump() for name in NAMES}
print(json.dumps({"engine": interlock.__file__, "reports": asyncio.run(main())}))
"""


def replayed(
    python: Path, folder: Path, seed: str, *, barred: Sequence[str] = ()
) -> dict[str, Any]:
    """Replay the goldens with the application that is in `folder`.

    Args:
        python: The interpreter.
        folder: Working directory, with the application and these tests.
        seed: Value of PYTHONHASHSEED.
        barred: Modules that the interpreter has and that cannot be imported all the same.

    Returns:
        `engine`, the file of the package `interlock`, and `reports`, a `ReplayReport` by golden.
    """
    done = subprocess.run(
        [str(python), "-c", _SCRIPT, *barred],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def divergences(found: dict[str, Any]) -> dict[str, Any]:
    """Return the differences that `replayed` found, by golden that has any."""
    reports = found["reports"].items()
    return {name: report["divergences"] for name, report in reports if report["divergences"]}
