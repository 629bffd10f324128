"""Deployments in folders of their own, for crash tests that need more than one run."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temporalio.client import Client

from interlock.settings import Settings


def settings_in(
    folder: Path,
    client: Client,
    *,
    agents: Sequence[str] = (),
    temporal: Mapping[str, Any] | None = None,
    **more: Any,
) -> Settings:
    """Return the settings of a deployment in `folder` that plays its `script.json`."""
    role = {"candidates": [{"model": "scripted:script.json"}]}
    reached = {
        "address": client.service_client.config.target_host,
        "queue_prefix": f"{uuid.uuid4().hex[:8]}.",
    }
    return Settings(
        project_dir=folder,
        agents=list(agents),
        models={"fast": role, "strong": role},
        memory={"embedder": "hashing"},
        temporal={**reached, **(temporal or {})},
        **more,
    )


def scripted(project: Path, script: dict[str, Any]) -> None:
    """Make a project folder in which the models play a script."""
    project.mkdir()
    (project / "script.json").write_text(json.dumps(script), encoding="utf-8")


def copied(template: Path, folder: Path) -> Path:
    """Copy a project folder."""
    shutil.copytree(template, folder)
    return folder
