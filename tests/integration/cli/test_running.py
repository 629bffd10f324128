"""Callers and engineers at the command line: runs are started, seen, talked to and replayed."""

from __future__ import annotations

import asyncio
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from interlock.audit.contract import AuditEvent, EventFilter
from interlock.audit.database import Database
from interlock.audit.store import SqlAuditStore


def new_id() -> str:
    """Return a workflow id that nobody has."""
    return f"run-{uuid.uuid4().hex[:8]}"


def test_a_run_is_shown_and_ends_with_its_reply(interlock: Any, answer: Any) -> None:
    """`run` prints each step and the reply; with --json, one object."""
    text = interlock("run", "clerk", "hello").stdout
    assert "fast (scripted:script.yaml" in text
    assert "\nGood morning.\n" in text
    assert "interlock show clerk-" in text
    outcome = answer("run", "clerk", "hello", "--id", new_id())
    assert (outcome["status"], outcome["reply"]) == ("completed", "Good morning.")
    assert outcome["totals"]["model_calls"] == 1


def test_a_run_that_fails_is_an_error_with_its_code(interlock: Any, refusal: Any) -> None:
    """The failure of the run becomes the failure of the command."""
    assert refusal("run", "nobody", "hello") == (1, "UNKNOWN_AGENT")
    assert refusal("run", "clerk", "--input", '{"colour": 1}') == (1, "BAD_INPUT")
    done = interlock("run", "nobody", "hello")
    assert "UNKNOWN_AGENT: no agent 'nobody'. Known: asker, cashier, clerk." in done.stderr


def test_an_id_is_used_once(answer: Any, refusal: Any) -> None:
    """A second run of the same id is refused."""
    run_id = new_id()
    answer("run", "clerk", "hello", "--id", run_id, "--no-follow")
    # A finished run's id may be used again by Temporal's default; an open one's may not.
    answer("run", "asker", "--input", '{"about": "x"}', "--id", f"{run_id}-open", "--no-follow")
    assert refusal("run", "clerk", "hello", "--id", f"{run_id}-open") == (1, "BAD_INPUT")
    answer("cancel", f"{run_id}-open")


def test_runs_are_listed_by_filter_and_page(answer: Any, interlock: Any) -> None:
    """Filters leave other runs out, and a cursor goes on where a page ends."""
    tenant = new_id()
    made = [f"{tenant}-{n}" for n in range(3)]
    for run_id in made:
        answer("run", "clerk", "hello", "--id", run_id, "--tenant", tenant)
    listed, cursor = [], ""
    while True:
        page = answer("list", "--tenant", tenant, "--limit", "2", "--cursor", cursor)
        listed += page["runs"]
        cursor = page["next"]
        if not cursor:
            break
    assert sorted(run["workflow_id"] for run in listed) == made
    assert {(run["agent"], run["status"], run["tenant"]) for run in listed} == {
        ("clerk", "completed", tenant)
    }
    assert answer("list", "--tenant", tenant, "--status", "waiting")["runs"] == []
    assert len(answer("list", "--tenant", tenant, "--status", "completed")["runs"]) == 3
    assert answer("list", "--tenant", tenant, "--agent", "asker")["runs"] == []
    assert made[0] in interlock("list", "--tenant", tenant).stdout


def test_show_gives_steps_prompts_and_pages(answer: Any, interlock: Any) -> None:
    """`show` reads the history: steps, whole prompts on demand, and a page of a long run."""
    run_id = new_id()
    answer("run", "clerk", "hello", "--id", run_id)
    report = answer("show", run_id, "--prompts")
    assert [step["kind"] for step in report["steps"]] == ["started", "opened", "model", "ended"]
    transcript = report["steps"][2]["transcript"]
    assert [message["data"]["content"] for message in transcript] == ["hello", "Good morning."]
    assert report["run"]["status"] == "completed"
    page = answer("show", run_id, "--limit", "2", "--cursor", "1")
    assert ([step["kind"] for step in page["steps"]], page["next"]) == (["opened", "model"], 3)
    text = interlock("show", run_id, "--prompts").stdout
    assert "user  hello" in text
    assert "1 model call" in text


def test_show_draws_the_graph_with_the_current_node(asked: Any, answer: Any) -> None:
    """`show --graph` asks the worker for Mermaid text; the node that waits is lit."""
    run_id = new_id()
    answer("run", "asker", "--input", '{"about": "x"}', "--id", run_id, "--no-follow")
    asked(run_id)
    assert "class ask current" in answer("show", run_id, "--graph")["graph"]
    answer("cancel", run_id)


def test_a_conversation_takes_messages(answer: Any, refusal: Any, interlock: Any) -> None:
    """`run --conversation` stops following when the run is idle; `send` gives it the next message."""
    run_id = new_id()
    outcome = answer("run", "clerk", "hello", "--conversation", "--id", run_id)
    assert (outcome["status"], outcome["reply"]) == ("idle", "Good morning.")
    assert answer("list", "--status", "idle", "--agent", "clerk")["runs"]
    assert answer("send", run_id, "good evening") == {"accepted": True, "workflow_id": run_id}
    answer("cancel", run_id, "--reason", "enough")
    assert refusal("send", "no-such-run", "hi") == (1, "RUN_NOT_FOUND")


def test_messages_to_other_runs_are_refused(asked: Any, answer: Any, refusal: Any) -> None:
    """A run that is no conversation takes no message, and a finished one takes nothing."""
    run_id = new_id()
    answer("run", "asker", "--input", '{"about": "x"}', "--id", run_id, "--no-follow")
    asked(run_id)
    assert refusal("send", run_id, "hi") == (1, "NOT_A_CONVERSATION")
    finished = new_id()
    answer("run", "clerk", "hello", "--id", finished)
    assert refusal("send", finished, "hi") == (1, "RUN_FINISHED")
    assert refusal("cancel", finished) == (1, "RUN_FINISHED")
    answer("cancel", run_id)


def test_a_cancelled_run_says_why(asked: Any, answer: Any, steps_of: Any) -> None:
    """`cancel --reason` ends the run cleanly, with the reason in its result."""
    run_id = new_id()
    answer("run", "asker", "--input", '{"about": "x"}', "--id", run_id, "--no-follow")
    asked(run_id)
    assert answer("cancel", run_id, "--reason", "changed my mind")["asked"] is True
    last = steps_of(run_id)[-1]
    assert (last["status"], last["result"]["reason"]) == ("cancelled", "changed my mind")
    assert answer("show", run_id)["run"]["status"] == "cancelled"


def test_feedback_is_an_audit_event(deployment: Any, answer: Any, refusal: Any) -> None:
    """`feedback` records score and comment under the run; an unknown run takes none."""
    run_id = new_id()
    answer("run", "clerk", "hello", "--id", run_id)
    answer("feedback", run_id, "--score", "down", "--comment", "too short")
    (event,) = _feedback(deployment.folder, run_id)
    assert (event.name, event.details["comment"]) == ("down", "too short")
    assert (event.context.agent, event.context.tenant) == ("clerk", "default")
    assert refusal("feedback", "no-such-run", "--score", "up") == (1, "RUN_NOT_FOUND")


def test_a_run_replays_from_the_server_and_from_a_file(
    answer: Any, interlock: Any, tmp_path: Path
) -> None:
    """`history` exports what `replay` reads; both say that today's code takes the same path."""
    run_id = new_id()
    answer("run", "clerk", "hello", "--id", run_id)
    assert answer("replay", run_id)["same_path"] is True
    exported = tmp_path / "run.json"
    exported.write_text(interlock("history", run_id).stdout)
    assert json.loads(exported.read_text())["workflowId"] == run_id
    assert "same path" in interlock("replay", str(exported)).stdout
    steps = answer("replay", str(exported), "--steps")["supersteps"]
    assert [step["nodes"] for step in steps] == [["model"]]
    assert "superstep 1: model" in interlock("replay", str(exported), "--steps").stdout


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('model("fast")', 'model("strong")', ["expected model call 'fast'", "model call 'strong'"]),
        ("[order, refund]", "[order]", ["other arguments", "binding.tools"]),
        ('_asker.add_edge("ask", END)', '_asker.add_edge("ask", "ask")', []),
    ],
)
def test_a_run_of_changed_code_exits_with_2(
    answer: Any,
    interlock: Any,
    deployment: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
    words: list[str],
) -> None:
    """Against changed code, `replay` names what differs; another agent's code does not matter."""
    run_id = new_id()
    answer("run", "clerk", "hello", "--id", run_id)
    (tmp_path / "run.json").write_text(interlock("history", run_id).stdout)
    # Under another name, because this process has loaded the code as it was.
    module = f"till_{uuid.uuid4().hex}"
    code = (deployment.folder / "till.py").read_text()
    (tmp_path / f"{module}.py").write_text(code.replace(before, after))
    names = (deployment.folder / "interlock.toml").read_text()
    (tmp_path / "interlock.toml").write_text(names.replace("till:", f"{module}:"))
    monkeypatch.chdir(tmp_path)
    done = interlock("replay", "run.json", "--json")
    if not words:
        assert (done.exit_code, json.loads(done.stdout)["same_path"]) == (0, True)
        return
    assert done.exit_code == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "REPLAY_DIVERGED"
    assert "node 'model'" in error["message"]
    assert all(word in error["message"] for word in words)


def test_a_run_that_takes_another_path_says_where(
    answer: Any,
    interlock: Any,
    asked: Any,
    deployment: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gate that is gone from the code is caught: both commands are named, and exit code 2."""
    run_id = new_id()
    answer("run", "asker", "--input", '{"about": "x"}', "--id", run_id, "--no-follow")
    answer("respond", asked(run_id).id, "y", "--run", run_id)
    (tmp_path / "run.json").write_text(interlock("history", run_id).stdout)
    module = f"till_{uuid.uuid4().hex}"
    code = (deployment.folder / "till.py").read_text()
    start, end = code.index('interrupt({"question"'), code.index("}\n\n\n_asker")
    (tmp_path / f"{module}.py").write_text(code[:start] + '"y"' + code[end:])
    names = (deployment.folder / "interlock.toml").read_text()
    (tmp_path / "interlock.toml").write_text(names.replace("till:", f"{module}:"))
    monkeypatch.chdir(tmp_path)
    done = interlock("replay", "run.json")
    assert done.exit_code == 2
    assert "REPLAY_DIVERGED: run" in done.stderr
    assert "leaves its recorded path" in done.stderr


@pytest.mark.parametrize("command", ["show", "history", "replay", "approvals"])
def test_an_unknown_run_is_not_found(refusal: Any, command: str) -> None:
    """Every command that takes a run says that there is none of that id."""
    assert refusal(command, "no-such-run") == (1, "RUN_NOT_FOUND")


def _feedback(folder: Path, run_id: str) -> list[AuditEvent]:
    async def read() -> list[AuditEvent]:
        url = f"sqlite+aiosqlite:///{folder / '.interlock' / 'audit.db'}"
        async with Database(url) as database:
            where = EventFilter(workflow_id=run_id, kind="feedback")
            return await SqlAuditStore(database).events(where)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, read()).result()
