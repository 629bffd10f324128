"""The demo: a worker dies while the case waits, and the customer is paid once."""

from __future__ import annotations

import asyncio
import io
import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo import __main__ as main
from tests.integration.application.copilot.script import REFUNDED, SCRIPT
from tests.proofs import progress, write_proof
from tests.stranger import environment, run
from tests.terminal import Terminal

ROOT = Path(__file__).parents[3]
COUNTED = {"status": "completed", "approvals": 1, "refunds": 1, "worker_kills": 1}
DEMO = (sys.executable, "-m", "demo")
UNATTENDED = ("make", "demo", "ARGS=--yes --json")

Ending = dict[str, Any]
AtTerminal = Callable[..., Terminal]


def ending(printed: str) -> Ending:
    """Read the one JSON object that the demo prints, and expect of it what must hold."""
    found: Ending = json.loads(printed)
    assert {name: found[name] for name in COUNTED} == COUNTED
    assert re.fullmatch(r"case-[0-9a-f]{8}", found["workflow_id"])
    assert found["model"] == "local:smollm2-135m"
    assert "A-1042" in found["reply"]
    assert found["reply_source"] in ("draft", "template")
    return found


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_without_a_terminal_nobody_approves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    """It starts nothing, exits 2, and says how it runs unattended."""
    monkeypatch.setattr(sys, "argv", ["demo", *options])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(main, "_run", None)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    said, noted = capsys.readouterr()
    error = json.loads(said)["error"] if options else {"code": "USAGE", "message": noted}
    assert error["code"] == "USAGE"
    assert 'make demo ARGS="--yes"' in " ".join(error["message"].split())


@pytest.mark.timeout(
    300
)  # two workers are started and a model writes, whatever else the machine does
def test_unattended_it_ends_with_one_json_object(project: Path) -> None:
    """With the real small model: approved, paid once, replied, and all else is on stderr."""
    done = subprocess.run(
        [*DEMO, "--yes", "--json"], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ending(done.stdout)["workflow_id"] in done.stderr
    assert "Killed with SIGKILL" in done.stderr


@pytest.mark.timeout(300)
def test_a_person_decides_at_the_terminal(project: Path, terminal: AtTerminal) -> None:
    """It says how to decide elsewhere and asks here; after a yes it pays, replies and waits."""
    plan = project / "interlock.toml"
    scripted = plan.read_text().replace('"local:smollm2-135m"', '"scripted:script.json"')
    plan.write_text(scripted)
    (project / "script.json").write_text(json.dumps(SCRIPT))
    screen = terminal(project, *DEMO)
    assert "Killed with SIGKILL" in screen.reads("Decide from any terminal:")
    run_id = re.search(r"interlock approve \S+ --run (case-\S+)", screen.reads("decide> "))
    assert run_id
    screen.types("approve")
    told = screen.reads("Press Enter to stop it.")
    assert REFUNDED in " ".join(told.split())
    assert "1 approval, 1 refund in the payment service, 1 worker killed" in told
    assert f"interlock replay {run_id[1]}" in told
    screen.types("")
    code, text = screen.ends()
    assert code == 0, text


async def demo(clone: Path, which: str) -> Ending:
    """Run the demo in a clone as a newcomer does, and return how it ended and when it ran."""
    began = time.time()
    found = ending(await asyncio.to_thread(run, clone, *UNATTENDED))
    progress(f"{which}: {found['status']}, {found['refunds']} refund")
    return {"run": which, "exit_code": 0, "began": began, "ended": time.time(), **found}


def decided_elsewhere(clone: Path, terminal: AtTerminal) -> str:
    """Run the demo at a terminal, decide in another with the command it prints, and see it end."""
    screen = terminal(clone, "make", "demo", environment=environment())
    screen.reads("Decide from any terminal:")
    command = next(line for line in screen.reads("decide> ").splitlines() if " approve " in line)
    assert "accepted: approve" in run(clone, *shlex.split(command))
    told = screen.reads("Press Enter to stop it.")
    assert "1 approval, 1 refund in the payment service, 1 worker killed" in told
    screen.types("")
    code, text = screen.ends()
    assert code == 0, text
    progress("decided in another terminal: completed")
    return command.strip()


@pytest.mark.proof
@pytest.mark.timeout(2400)
async def test_a_fresh_clone_runs_the_demo(tmp_path: Path, terminal: AtTerminal) -> None:
    """Twice in one clone, and again while a second clone runs it: every customer is paid once."""
    first, second = tmp_path / "first", tmp_path / "second"
    for clone in (first, second):
        run(tmp_path, "git", "clone", "--quiet", str(ROOT), str(clone))
    runs = [await demo(first, "first clone, fresh"), await demo(first, "first clone, again")]
    run(second, "make", "install")
    both = await asyncio.gather(
        demo(first, "first clone, beside the second"),
        demo(second, "second clone, beside the first"),
    )
    assert max(one["began"] for one in both) < min(one["ended"] for one in both)
    command = await asyncio.to_thread(decided_elsewhere, first, terminal)
    runs = [*runs, *both]
    assert len({one["workflow_id"] for one in runs}) == len(runs)
    write_proof(
        "demo",
        {
            "runs": [_timed(one) for one in runs],
            "at_a_terminal": {"decided_elsewhere_by": command, "exit_code": 0},
        },
        seeds=[],
    )


def _timed(one: Ending) -> Ending:
    began, ended = one.pop("began"), one.pop("ended")
    return {**one, "seconds": round(ended - began, 1)}
