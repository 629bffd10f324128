"""The doors of the rooms: few names, frozen, sorted and documented, with nothing heavy behind them."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

FACADES: dict[str, tuple[str, ...]] = {
    "interlock": (),
    "interlock.agents": ("Agent", "ChatModel", "Store", "activity_node", "agent", "model"),
    "interlock.approvals": (
        "ApprovalRequest",
        "Ask",
        "Decision",
        "DecisionAnswer",
        "Facts",
        "JudgeRequest",
        "LabelsPolicy",
        "MatchedRule",
        "Person",
        "Policy",
        "RiskPolicy",
        "Role",
        "Span",
        "Tier",
        "Total",
        "TotalsPolicy",
        "Verdict",
    ),
    "interlock.audit": (
        "AuditBatch",
        "AuditEvent",
        "AuditStore",
        "Claim",
        "ClaimResult",
        "EventFilter",
        "EventKind",
        "Ledger",
        "LedgerRow",
        "LedgerState",
        "ModelUsage",
    ),
    "interlock.cli": ("main",),
    "interlock.codec": ("MESSAGE_TYPES", "decode", "encode"),
    "interlock.inbox": (),
    "interlock.memory": (
        "MEMORY_PORT",
        "Embedder",
        "Get",
        "KnowledgeBatch",
        "KnowledgePlan",
        "KnowledgePlanRequest",
        "KnowledgeReport",
        "KnowledgeStep",
        "ListNamespaces",
        "MemoryAnswers",
        "MemoryBatch",
        "MemoryItem",
        "MemoryOp",
        "MemoryPort",
        "Namespace",
        "Provenance",
        "Put",
        "Search",
    ),
    "interlock.models": ("Binding", "ModelAnswer", "ModelCall", "ModelPort", "Usage"),
    "interlock.notifying": ("Channel", "Message"),
    "interlock.replay": (
        "Change",
        "Code",
        "DebugReport",
        "Divergence",
        "DoorCall",
        "History",
        "ReplayReport",
        "StateChange",
        "Step",
        "StepReader",
        "StopReport",
        "Superstep",
        "Totals",
        "dump",
        "export",
        "fetch",
        "follow",
        "load_code",
        "parse",
        "read_file",
        "read_steps",
        "replay",
        "runs",
        "stop_at",
        "supersteps",
        "totals",
    ),
    "interlock.runs": ("OpenRequest", "RunFilter", "RunPage", "RunSummary", "Runs"),
    "interlock.settings": (
        "FILE_NAME",
        "ApprovalSettings",
        "AuditSettings",
        "CandidateSettings",
        "ChannelSettings",
        "EmailSettings",
        "InboxSettings",
        "KeySettings",
        "LimitSettings",
        "MemorySettings",
        "OidcSettings",
        "PersonSettings",
        "RoleSettings",
        "Settings",
        "SlackSettings",
        "TelemetrySettings",
        "TemporalSettings",
        "WebhookSettings",
        "environment_key",
        "load_settings",
    ),
    "interlock.testing": (
        "CrashPlan",
        "CrashReport",
        "CrashScenario",
        "ScriptedModel",
        "WorkerEnv",
        "World",
        "check_crashes",
        "running_server",
        "worker_env",
    ),
    "interlock.tools": (
        "Breaker",
        "Cache",
        "Effect",
        "Risk",
        "Throttle",
        "Tool",
        "ToolCall",
        "ToolContract",
        "tool",
    ),
    "interlock.workflows": (),
}
"""The public names of each room. Changing this is changing what users may import."""

HEAVY = {
    "alembic",
    "anthropic",
    "chromadb",
    "langchain_anthropic",
    "langchain_mistralai",
    "langchain_ollama",
    "langchain_openai",
    "mistralai",
    "numpy",
    "ollama",
    "onnxruntime",
    "openai",
    "psycopg",
    "sqlalchemy",
    "sqlmodel",
    "tokenizers",
    "xllamacpp",
}
"""Adapters' libraries. A facade, a workflow and a replay come without them."""

PLUGIN = "interlock.testing.plugin"
"""Loaded by pytest wherever Interlock is installed."""

IMPORT_EACH = """
import importlib, json, os, sys
import langgraph.graph, langgraph.prebuilt, langchain_core.language_models, temporalio.worker
for room in json.loads(sys.argv[1]):
    reading, writing = os.pipe()
    if os.fork() == 0:
        importlib.import_module(room)
        names = sorted({name.partition(".")[0] for name in sys.modules})
        os.write(writing, json.dumps(names).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        print(json.dumps([room, json.loads(answer.read() or '"it does not import"')]))
    os.wait()
"""
"""Imports each room in a process of its own, which has only what every room may have."""


def kind_then_name(name: str) -> tuple[bool, bool, str]:
    """Constants, then classes, then functions, each by name: the order of `__all__`."""
    return (not name.isupper(), not name[0].isupper(), name)


def packages() -> set[str]:
    """Every package of the engine that is a room."""
    found = {f"interlock.{path.parent.name}" for path in ROOT.glob("interlock/*/__init__.py")}
    return {"interlock", *found}


def described_values(room: str) -> set[str]:
    """Names that a module of the room assigns and describes with a docstring below."""
    found: set[str] = set()
    for path in (ROOT / room.replace(".", "/")).glob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for statement, below in pairwise(body):
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                targets = getattr(statement, "targets", [getattr(statement, "target", None)])
                found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def is_documented(room: str, name: str, thing: Any) -> bool:
    """Whether a public name says what it is."""
    if isinstance(thing, type):
        return bool((thing.__dict__.get("__doc__") or "").strip())
    if callable(thing) and getattr(thing, "__name__", None) == name:
        return bool((thing.__doc__ or "").strip())
    return name in described_values(room)


def test_every_room_is_frozen_here() -> None:
    """A new room gets its names frozen when it is made."""
    assert packages() == set(FACADES)


@pytest.mark.parametrize("room", sorted(FACADES))
def test_the_names_of_a_room(room: str) -> None:
    """`__all__` is what is frozen here, sorted; each name is there and documented."""
    facade = importlib.import_module(room)
    names = tuple(getattr(facade, "__all__", ()))
    assert names == FACADES[room]
    assert list(names) == sorted(names, key=kind_then_name)
    undocumented = [n for n in names if not is_documented(room, n, getattr(facade, n))]
    assert undocumented == []
    assert (facade.__doc__ or "").strip()


def test_facades_load_nothing_heavy() -> None:
    """Importing a room, first and alone, loads no database, vector store or provider library."""
    rooms = sorted({*FACADES, PLUGIN})
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", IMPORT_EACH, json.dumps(rooms)],
        capture_output=True,
        check=True,
        text=True,
    )
    loaded = dict(json.loads(line) for line in done.stdout.splitlines())
    assert list(loaded) == rooms
    assert {room: sorted(HEAVY & set(names)) for room, names in loaded.items()} == {
        room: [] for room in rooms
    }
