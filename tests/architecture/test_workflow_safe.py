"""Code that runs inside workflows reads no clock, randomness or environment, and does no I/O.

Temporal's sandbox does not see graph modules, so their source is checked here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    "interlock/approvals/edits.py",
    "interlock/approvals/finding.py",
    "interlock/approvals/grants.py",
    "interlock/approvals/identity.py",
    "interlock/approvals/labels.py",
    "interlock/approvals/people.py",
    "interlock/approvals/policy.py",
    "interlock/approvals/tiers.py",
    "interlock/agents/spec.py",
    "interlock/agents/validation.py",
    "interlock/tools/decorator.py",
    "interlock/tools/definition.py",
    "interlock/tools/outcomes.py",
    "interlock/tools/queues.py",
    "interlock/tools/throttle.py",
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

BANNED = {
    "asyncio.run",
    "asyncio.to_thread",
    "asyncio.wait_for",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "open",
    "print",
    "uuid.getnode",
    "uuid.uuid1",
    "uuid.uuid4",
    "uuid.uuid6",
    "uuid.uuid7",
    "uuid.uuid8",
}
"""By full name, whatever a file calls them."""
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
    "uuid_utils",
}
ALLOWED = {
    # Puts the stand-in where libraries have the real one.
    ("interlock/workflows/ids.py", "uuid.uuid4"),
    # Runs in the activity, not in the workflow.
    ("interlock/workflows/activity_node.py", "uuid.uuid4"),
    # In a workflow `uuid.uuid4` is the workflow's own: interlock/workflows/ids.py.
    ("interlock/workflows/inputs.py", "uuid.uuid4"),
    # Where no event loop runs, and so in no workflow, the doors may be called synchronously.
    ("interlock/memory/store.py", "asyncio.run"),
    ("interlock/models/chat.py", "asyncio.run"),
    ("interlock/tools/definition.py", "asyncio.run"),
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


def imported(node: ast.AST) -> dict[str, str]:
    """The names that an import gives a file, with the full name of each."""
    if isinstance(node, ast.Import):
        names = [(alias.asname or alias.name.partition(".")[0], alias) for alias in node.names]
        return {name: alias.name if alias.asname else name for name, alias in names}
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {}


def banned_import(node: ast.AST) -> str:
    """The banned module or function that an import names, or ''."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    stars = {f"{name.rpartition('.')[0]}.*" for name in BANNED}
    return next(
        (n for n in names if n.partition(".")[0] in BANNED_MODULES or n in BANNED | stars), ""
    )


def offences(path: Path, root: Path = ROOT) -> Iterator[str]:
    """What a file does that workflow code must not."""
    name = str(path.relative_to(root))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    full = {short: long for node in ast.walk(tree) for short, long in imported(node).items()}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if banned := banned_import(node):
            yield f"{name}:{line} imports {banned}"
        elif isinstance(node, ast.Name | ast.Attribute) and (used := dotted(node)):
            head, dot, rest = used.partition(".")
            used = full.get(head, head) + dot + rest
            if used in BANNED and (name, used) not in ALLOWED:
                yield f"{name}:{line} uses {used}"
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Set):
            yield f"{name}:{line} iterates over a set"


def test_workflow_safe_files_are_safe() -> None:
    """No file that a workflow runs reads a clock, draws randomness or does I/O."""
    found = [offence for path in files() for offence in offences(path)]
    assert found == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import time", "imports time"),
        ("import os.path as p", "imports os.path"),
        ("from os import environ", "imports os.environ"),
        ("from time import time", "imports time.time"),
        ("from random import choice as pick", "imports random.choice"),
        ("from uuid import uuid4", "imports uuid.uuid4"),
        ("from uuid import uuid7 as new_id", "imports uuid.uuid7"),
        ("from uuid import *", "imports uuid.*"),
        ("from asyncio import wait_for", "imports asyncio.wait_for"),
        ("import uuid\nuuid.uuid4()", "uses uuid.uuid4"),
        ("import uuid as u\nu.uuid1().hex", "uses uuid.uuid1"),
        ("import uuid\nlabel = field(default_factory=uuid.uuid4)", "uses uuid.uuid4"),
        ("from datetime import datetime\ndatetime.now()", "uses datetime.datetime.now"),
        ("from datetime import datetime as d\nd.utcnow()", "uses datetime.datetime.utcnow"),
        ("import datetime\ndatetime.datetime.now()", "uses datetime.datetime.now"),
        ("import datetime as dt\nclock = dt.date.today", "uses datetime.date.today"),
        ("import asyncio\nasync def f(): await asyncio.to_thread(g)", "uses asyncio.to_thread"),
        ("for x in {1, 2}: pass", "iterates over a set"),
        ("def f():\n    from secrets import token_hex", "imports secrets.token_hex"),
        ("open('x')", "uses open"),
        ("printed = print", "uses print"),
    ],
)
def test_the_check_sees_what_it_should(tmp_path: Path, code: str, found: str) -> None:
    """A planted offence of every form is found, once."""
    planted = tmp_path / "planted.py"
    planted.write_text(code, encoding="utf-8")
    (offence,) = offences(planted, tmp_path)
    assert offence.partition(" ")[2] == found


def test_the_check_sees_no_more_than_it_should(tmp_path: Path) -> None:
    """Names that only look alike are fine."""
    planted = tmp_path / "planted.py"
    planted.write_text(
        "import uuid\nfrom uuid import UUID, uuid5\nfrom datetime import UTC, datetime\n"
        "from temporalio import workflow\nworkflow.uuid4()\nworkflow.now()\nself.open()\n"
        "UUID(int=1)\nuuid5(a, b)\ndatetime.fromisoformat('x')\n",
        encoding="utf-8",
    )
    assert list(offences(planted, tmp_path)) == []


def test_every_room_has_files_here() -> None:
    """The list of patterns matches files: a renamed room does not fall out of the check."""
    empty = [pattern for pattern in SAFE if not list(ROOT.glob(pattern))]
    assert empty == []
