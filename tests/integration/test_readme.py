"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from interlock.settings import load_settings
from interlock.testing import worker_env

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, starts: str) -> str:
    """The README's code block in a language that starts with a comment."""
    found = re.search(rf"```{language}\n({re.escape(starts)}.*?)```", README, re.DOTALL)
    assert found, starts
    return found[1]


async def test_your_own_agent_runs(
    server: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent of under 30 lines pauses at the wire and carries it out once approved."""
    code, toml = block("python", "# agent.py"), block("toml", "# interlock.toml")
    assert len(code.splitlines()) + len(toml.splitlines()) < 30
    (tmp_path / "agent.py").write_text(code, encoding="utf-8")
    (tmp_path / "interlock.toml").write_text(toml, encoding="utf-8")
    assert load_settings(tmp_path).agents == ["agent:teller"]
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "agent", raising=False)
    from importlib import import_module

    teller = import_module("agent").teller
    call = {"name": "wire", "args": {"account": "DE-77", "amount": 200}, "id": "w1"}
    script = [{"answer": {"tool_calls": [call]}}, {"answer": {"text": "Done."}}]
    async with worker_env(server, tmp_path, agents=[teller], script=script) as env:
        handle = await env.start("teller", "Wire 200 to DE-77")
        (request,) = await env.pending(handle)
        assert request.arguments == {"account": "DE-77", "amount": 200}
        await env.decide(handle, request, "approve")
        assert (await env.result(handle)).reply == "Done."
        transcript = await handle.query("transcript")
        assert "wired 200 to DE-77" in [message["data"]["content"] for message in transcript]


def test_the_tree_is_there() -> None:
    """Every folder and page that the README names exists."""
    names = re.findall(r"\]\(([^)#]+)\)", README) + re.findall(r"`([a-z]+/)`", README)
    missing = [name for name in names if not (ROOT / name).exists()]
    assert missing == []


def test_the_two_commands_are_targets() -> None:
    """`make demo` and `make test` are in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^demo:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)
