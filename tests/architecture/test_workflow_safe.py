"""Code that runs inside workflows reads no clock, randomness or environment, and does no I/O.

Temporal's sandbox does not see graph modules, so their source is checked here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

SAFE = (
    "interlock/__init__.py",
    "interlock/errors.py",
    "interlock/canonical.py",
    "interlock/codec/*.py",
    "interlock/context.py",
    "interlock/*/contract.py",
    "interlock/workflows/*.py",
    "interlock/approvals/desk.py",
    "interlock/approvals/policy.py",
    "interlock/agents/spec.py",
    "interlock/agents/validation.py",
    "interlock/tools/decorator.py",
    "interlock/tools/definition.py",
    "interlock/tools/outcomes.py",
    "interlock/tools/queues.py",
    "interlock/tools/signature.py",
    "interlock/tools/validation.py",
    "interlock/models/chat.py",
    "interlock/models/messages.py",
    "interlock/models/structured.py",
    "interlock/models/tool_calls.py",
    "interlock/memory/store.py",
    "agents/**/*.py",
    "workflows/*.py",
    "tools/contracts.py",
    "tools/knowledge.py",
)

BANNED_CALLS = {
    "asyncio.to_thread",
    "asyncio.wait_for",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "date.today",
    "open",
    "print",
    "random.random",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "time.time",
    "uuid.uuid1",
}
BANNED_MODULES = {
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
}
ALLOWED = {
    # Stands in for uuid4 and uuid6 inside workflows, and keeps the real ones for outside.
    ("interlock/workflows/determinism.py", "uuid.uuid4"),
    # Runs in the activity, not in the workflow.
    ("interlock/workflows/activity_node.py", "uuid.uuid4"),
    # In a workflow `uuid.uuid4` is the workflow's own: interlock/workflows/determinism.py.
    ("interlock/workflows/inputs.py", "uuid.uuid4"),
    # Outside a workflow the chat model and the tools may be called synchronously.
    ("interlock/models/chat.py", "asyncio.run"),
}


def files() -> list[Path]:
    """Every workflow-safe file."""
    return sorted({path for pattern in SAFE for path in ROOT.glob(pattern)})


def dotted(node: ast.AST) -> str:
    """The dotted name of an expression, or ''."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        stem = dotted(node.value)
        return f"{stem}.{node.attr}" if stem else ""
    return ""


def offences(path: Path, root: Path = ROOT) -> Iterator[str]:
    """What a file does that workflow code must not."""
    name = str(path.relative_to(root))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in BANNED_MODULES:
                    yield f"{name}:{line} imports {alias.name}"
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            if (node.module or "").partition(".")[0] in BANNED_MODULES:
                yield f"{name}:{line} imports from {node.module}"
        elif isinstance(node, ast.Call):
            called = dotted(node.func)
            if (called in BANNED_CALLS or called == "uuid.uuid4") and (name, called) not in ALLOWED:
                yield f"{name}:{line} calls {called}"
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Set):
            yield f"{name}:{line} iterates over a set"


def test_workflow_safe_files_are_safe() -> None:
    """No file that a workflow runs reads a clock, draws randomness or does I/O."""
    found = [offence for path in files() for offence in offences(path)]
    assert found == []


def test_the_check_sees_what_it_should(tmp_path: Path) -> None:
    """A planted offence of every kind is found."""
    planted = tmp_path / "planted.py"
    planted.write_text(
        "import time\nfrom os import environ\nfrom datetime import datetime\n"
        "datetime.now()\nfor x in {1, 2}: pass\nimport uuid\nuuid.uuid4()\nopen('x')\n",
        encoding="utf-8",
    )
    assert len(list(offences(planted, tmp_path))) == 6


def test_every_room_has_files_here() -> None:
    """The list of patterns matches files: a renamed room does not fall out of the check."""
    empty = [pattern for pattern in SAFE if not list(ROOT.glob(pattern))]
    assert empty == []
