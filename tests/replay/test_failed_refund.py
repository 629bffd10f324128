"""An engineer at the command line finds out why a refund run failed.

A reviewer approved the refund with two digits of its amount changed over, the refund tool said that
this is more than was paid, and the copilot of `tests.replay.hasty` reckons with a yes only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agents.support.graph import build
from interlock.agents import agent
from interlock.replay import replay
from tests.replay.deployment import GOLDEN, ROOT, code, golden
from tests.terminal import INTERLOCK, Terminal
from tools.contracts import TOOLS

FILE = str(GOLDEN / "refund-failed.json")
_PATIENCE = 60.0


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application with the changed copilot."""
    monkeypatch.setenv("INTERLOCK_AGENTS", json.dumps(["tests.replay.hasty:hasty"]))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def screen(deployed: None) -> Iterator[Terminal]:
    """A terminal where the debugger is about to stop at the node that failed."""
    opened = Terminal(ROOT, *INTERLOCK, "replay", FILE, "--pdb", "act_refund")
    yield opened
    opened.close()


@pytest.mark.usefixtures("deployed")
def test_steps_lead_to_the_node_that_failed() -> None:
    """State, calls and answers of every superstep are printed; the last ones are the failure's."""
    done = subprocess.run(
        [sys.executable, "-m", "interlock", "replay", FILE, "--steps"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parts = re.split(r"^superstep \d: (.+)$", done.stdout, flags=re.MULTILINE)
    shown = dict(zip(parts[1::2], parts[2::2], strict=True))
    failed = "act_refund (not finished)"
    assert list(shown) == ["understand", "recall", "look_up", failed]
    assert "  state    intent set refund\n" in shown["understand"]
    assert "damaged-on-arrival" in shown["recall"]
    looked = re.sub(r" +", " ", shown["look_up"])
    assert " call tool call 'order_lookup' in node 'look_up'\n asked " in looked
    assert '"total": "89.00"' in looked.split(" got ")[2]
    assert ' state order set {"order_id": "A-1042"' in looked
    assert looked.endswith(" next act_refund\n")
    calls = re.split(r"^  call +", shown[failed], flags=re.MULTILINE)[1:]
    model, verdict, decision, _, refund = calls
    assert model.startswith("model call 'fast' in node 'act_refund'\n")
    assert '"amount": "89.00"' in verdict
    assert re.search(r'got .*"verb": "edit".*"amount": "98.00"', decision)
    assert re.search(r'^tool call \'refund\'.*\n +asked .*"amount": "98.00"', refund)
    assert re.search(r'\n +got .*"code": "TOOL_RETRY"', refund)
    assert refund.splitlines()[-2:] == [
        "failed at node 'act_refund', door 'tool', tool 'refund': TOOL_RETRY: 98.00 EUR is more than "
        "was paid for order 'A-1042': at most 89.00 EUR can be paid back.",
        f"same path: run refund-failed, {len(golden('refund-failed').events)} events.",
    ]
    assert f"interlock replay {FILE} --pdb act_refund" in done.stderr


def test_pdb_stops_in_the_node_that_failed(screen: Terminal) -> None:
    """The node runs line by line at a terminal, with recorded answers, up to what it did not catch."""
    stopped = screen.reads("(Pdb) ")
    assert "tests/replay/hasty.py" in stopped
    assert "act_refund()" in stopped

    def types(command: str) -> str:
        screen.types(command)
        return screen.reads("(Pdb) ")

    assert "'delivered 89.00'" in types("p '{status} {total}'.format(**state['order'])")
    while "-> made = await refund.ainvoke(arguments)" not in types("n"):
        pass
    assert "ToolRetry: 98.00 EUR is more than was paid" in types("n")
    assert "'asked for 89.00'" in types("p 'asked for ' + arguments['amount']")
    screen.types("c")
    code_, rest = screen.ends()
    assert code_ == 0, rest
    assert "same path: run refund-failed" in rest


async def test_the_mended_node_goes_on_where_the_run_failed() -> None:
    """The copilot as it is asks a person there, which is the first thing that differs."""
    mended = agent("hasty", build, tools=TOOLS)
    report = await replay(golden("refund-failed"), code([mended]))
    assert report.divergence is not None
    assert (report.divergence.kind, report.divergence.node) == ("path", "act_refund")
    assert report.divergence.expected == "run attributes: status 'failed'"
    assert report.divergence.actual == "run attributes: status 'waiting'"
