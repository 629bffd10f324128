"""The reference pages say what the code says: errors, settings, commands and entry points.

`python -m tests.architecture.test_docs` writes the generated pages anew.
"""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import pytest
import typer
from annotated_types import Ge, Gt, MaxLen, MinLen
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo
from typer.cli import get_docs_for_click

from interlock import errors
from interlock.cli.program import app
from interlock.errors import InterlockError
from interlock.registry import GROUPS
from interlock.settings import (
    CandidateSettings,
    EmailSettings,
    KeySettings,
    PersonSettings,
    RoleSettings,
    Settings,
    SlackSettings,
    WebhookSettings,
)
from tests.integration.bad_input.table import cells, read_rows

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

HOW = "Write it anew with `python -m tests.architecture.test_docs`."

OF_TEMPORAL = {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "TMPRL1105", "GrpcMessageTooLarge"}
"""Codes of the bad-input table that Temporal gives, and that Interlock does not have."""


# errors.md


def kinds(root: type[InterlockError] = InterlockError) -> Iterator[type[InterlockError]]:
    """Every class of the error tree."""
    if root.__module__ == errors.__name__:
        yield root
    for child in root.__subclasses__():
        yield from kinds(child)


def written(name: str) -> str:
    """Text of a page."""
    return (DOCS / name).read_text(encoding="utf-8")


def code_tables() -> dict[str, dict[str, list[str]]]:
    """The code tables of errors.md: family, then code, then the other cells of its row."""
    text = written("errors.md")
    headings = [line for line in text.splitlines() if re.fullmatch(r"### .*`[A-Z_]+`", line)]
    return {
        heading.split("`")[1]: {row[0].strip("`"): row[1:] for row in cells(text, heading)}
        for heading in headings
    }


def test_every_error_code_is_documented_and_no_other() -> None:
    """Each family of the tree has its table, with exactly its codes."""
    families = {family.code: family for family in InterlockError.__subclasses__()}
    tables = code_tables()
    assert set(tables) == set(families)
    for code, family in families.items():
        assert set(tables[code]) == {kind.code for kind in kinds(family)} - {code}
    assert f"`{InterlockError.code}`" in written("errors.md")


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.code)
def test_an_error_means_what_its_class_says(kind: type[InterlockError]) -> None:
    """The meaning of a code is the first sentence of its class, and something is to be done."""
    for table in code_tables().values():
        if kind.code in table:
            meaning, action = table[kind.code]
            assert meaning == (kind.__doc__ or "").splitlines()[0].replace("``", "`")
            assert action


def test_every_reason_of_a_refused_decision_is_documented() -> None:
    """The reasons in errors.md are the ones that the code gives, and no other."""
    given = set()
    for name in (
        "approvals/desk.py", "approvals/identity.py", "approvals/signatures.py", "approvals/verification.py",
        "workflows/mailbox.py", "tools/refusals.py", "tools/effects.py", "tools/held.py",
    ):  # fmt: skip
        tree = ast.parse((ROOT / "interlock" / name).read_text(encoding="utf-8"))
        given |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"[A-Z]+(_[A-Z]+)*", node.value)
            and len(node.value) > 3
        }
    reasons = cells(written("errors.md"), "Why a decision does not count:")
    assert {row[0].strip("`") for row in reasons} == given


def test_every_attack_of_the_page_is_tried() -> None:
    """The tests that approvals.md names are there."""
    for attack, _, test in cells(written("approvals.md"), "## What was tried"):
        path, _, name = test.strip("`").partition("::")
        text = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert f"async def {name}(" in text, attack


@cache
def templates() -> tuple[str, ...]:
    """Every text of the engine's source, with '…' in the place of values."""
    found = []
    for path in sorted((ROOT / "interlock").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "…" for p in node.values]
                found.append("".join(str(part) for part in parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)


@pytest.mark.parametrize("name", list(read_rows()))
def test_a_message_of_the_table_is_in_the_code(name: str) -> None:
    """The bad-input table quotes messages as the code writes them."""
    row = read_rows()[name]
    if row.code in OF_TEMPORAL:
        return
    assert row.code in {kind.code for kind in kinds()} | {"TOO_MANY"}
    quoted = re.sub(r"(… ?)+", "… ", row.message).strip()
    assert any(quoted in re.sub(r"(… ?)+", "… ", text).strip() for text in templates()), quoted


# settings.md


def settings_page() -> str:
    """The text of docs/settings.md."""
    sections = [
        (name, field)
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ]
    plain = {n: f for n, f in Settings.model_fields.items() if (n, f) not in sections}
    apart = ("models", "notify", "people", "project_dir")
    parts = [HEAD, table({n: f for n, f in plain.items() if n not in apart})]
    for name, field in sections:
        model: type[BaseModel] = field.annotation  # type: ignore[assignment]
        parts.append(f"## `[{name}]`\n\n{model.__doc__}\n\n{table(model.model_fields)}")
    parts.append(
        f"{MODELS.strip()}\n\n{RoleSettings.__doc__}\n\n{table(RoleSettings.model_fields)}"
    )
    parts.append(f"### A candidate\n\n{CandidateSettings.__doc__}\n")
    parts.append(table(CandidateSettings.model_fields))
    parts.append(f"## `[approvals.keys.ID]`\n\n{KeySettings.__doc__}\n")
    parts.append(table(KeySettings.model_fields))
    people = f"`people`: {plain['people'].description}"
    parts.append(f"{PEOPLE.strip()}\n\n{people}\n\n{table(PersonSettings.model_fields)}")
    parts.append(f"{NOTIFY.strip()}\n\n`notify`: {plain['notify'].description}")
    for channel in CHANNELS:
        kind = get_args(channel.model_fields["channel"].annotation)[0]
        parts.append(f'### `channel = "{kind}"`\n\n{channel.__doc__}\n')
        parts.append(table(channel.model_fields))
    groups = "\n".join(f"| `{group}` | {OFFERS[group]} |" for group in GROUPS)
    parts.append(
        f"{ENTRY_POINTS.strip()}\n\n| group | what a package offers there |\n| --- | --- |\n{groups}"
    )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def table(fields: dict[str, FieldInfo]) -> str:
    """Settings of one section as a table."""
    lines = ["| setting | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in fields.items():
        value, default = value_of(field.annotation, field.metadata), default_of(field)
        lines.append(f"| `{name}` | {value} | {default} | {field.description} |")
    return "\n".join(lines)


KINDS = {
    str: "text",
    bool: "`true`, `false`",
    int: "whole number",
    float: "number",
    Path: "path",
    AwareDatetime: "time, with its zone",
}
_LISTS = {
    str: "list of texts",
    CandidateSettings: "list of candidates",
    PersonSettings: "list of people",
}
CHANNELS: tuple[type[BaseModel], ...] = (WebhookSettings, SlackSettings, EmailSettings)
BOUNDS = {
    Ge: ("ge", "at least"),
    Gt: ("gt", "over"),
    MinLen: ("min_length", "at least"),
    MaxLen: ("max_length", "at most"),
}


def value_of(annotation: Any, metadata: list[Any]) -> str:
    """What a setting may be, in words."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is list:
        item = get_args(annotation)[0]
        what = _LISTS[item] if item in _LISTS else f"list of {value_of(item, [])}"
    else:
        what = "table" if get_origin(annotation) is dict else KINDS[annotation]
    for bound in metadata:
        attribute, words = BOUNDS[type(bound)]
        unit = " characters" if isinstance(bound, MinLen | MaxLen) and annotation is str else ""
        what += f", {words} {getattr(bound, attribute):,}{unit}"
    return what


def default_of(field: FieldInfo) -> str:
    """The default of a setting."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "unset"
    if value in ("", [], {}):
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


HEAD = """
<!-- Written by tests/architecture/test_docs.py from interlock/settings.py. -->

# Settings

A deployment is described by `interlock.toml` in its folder; commands find the nearest one at or above
the current folder. Every setting can also be given in the environment, which wins: `INTERLOCK_` and the
name in capitals, with `__` between a section and its setting, for example `INTERLOCK_LIMITS__STEPS=50`
or `INTERLOCK_AGENTS='["agents.support.graph:support"]'` (lists and tables are JSON there).

An unknown key, or a value of the wrong type or range, is refused with `CONFIG_INVALID`; the message
names the place and what is allowed. Relative paths are below the folder of `interlock.toml`.
Provider keys are never settings: they are read from the environment variables of the providers
(`OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `MISTRAL_API_KEY`), or from the one that `api_key_env` names.

## What is hosted
"""

MODELS = """
## `[models.ROLE]`

Model roles. Agents ask for a role, such as `fast` or `strong`; its candidates are asked in order.

```toml
[models.fast]
candidates = [
  { model = "openai:gpt-5-mini" },
  { model = "local:smollm2-135m", tool_calling = "schema", timeout_seconds = 30 },
]
```
"""

PEOPLE = """
## `[[people]]`

People and machines that may sign in to the inbox: docs/inbox.md.

```toml
[[people]]
subject = "ada"
roles = ["reviewer"]
tenants = ["north"]
```
"""

NOTIFY = """
## `[[notify]]`

Channels that tell people of requests: docs/approvals.md.

```toml
[[notify]]
channel = "slack"
name = "desk"
url_env = "DESK_SLACK_URL"
risks = ["high"]
```
"""

ENTRY_POINTS = """
## Entry points

An installed package can offer agents, tools and memory without being named in `interlock.toml`:
it declares entry points in these groups. They are loaded after what the file names, ordered by their names.

```toml
[project.entry-points."interlock.tools"]
calendar = "our_calendar.tools:TOOLS"
```
"""

OFFERS = {
    "interlock.agents": "Agents, like the setting `agents`.",
    "interlock.tools": "Tools, like the setting `tools`; a list stands for its items.",
    "interlock.memory": "Items for memory, like the setting `seeds`.",
    "interlock.guards": "Kept for checks on text; nothing reads it yet.",
}


def test_the_page_of_settings_is_generated() -> None:
    """docs/settings.md has every setting with what it may be, its default and its description."""
    assert written("settings.md") == settings_page(), HOW


def described(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Every setting of a model and of the sections in it."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from described(field.annotation)
        else:
            yield name, field


@pytest.mark.parametrize(
    "model",
    [Settings, RoleSettings, CandidateSettings, KeySettings, PersonSettings, *CHANNELS],
)
def test_every_setting_is_described(model: type[BaseModel]) -> None:
    """A setting without a description cannot be added, and each is in the page."""
    text = written("settings.md")
    for name, field in described(model):
        assert field.description, name
        if name != "project_dir":
            assert f"`{name}`" in text or f"[{name}." in text
            assert field.description in text


def test_every_entry_point_group_is_documented() -> None:
    """Whoever writes a package finds every group."""
    assert [group for group in GROUPS if f"`{group}`" not in written("settings.md")] == []


# cli.md


def cli_page() -> str:
    """The text of docs/cli.md."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="interlock")
    text = get_docs_for_click(obj=command, ctx=context, name="interlock", title="The command line")
    return "<!-- Written by tests/architecture/test_docs.py from `--help`. -->\n\n" + text


def commands(command: Any, prefix: str = "interlock") -> Iterator[str]:
    """Every command, with the words that lead to it."""
    for name, found in getattr(command, "commands", {}).items():
        yield f"{prefix} {name}"
        yield from commands(found, f"{prefix} {name}")


def test_the_page_of_commands_is_generated() -> None:
    """docs/cli.md is what `--help` says of every command."""
    text = written("cli.md")
    assert text == cli_page(), HOW
    every = list(commands(typer.main.get_command(app)))
    assert len(every) > 20
    assert [name for name in every if f"# `{name}`" not in text] == []


if __name__ == "__main__":
    (DOCS / "settings.md").write_text(settings_page(), encoding="utf-8")
    (DOCS / "cli.md").write_text(cli_page(), encoding="utf-8")
