"""Reviewers at the command line: requests are listed, decided once, and refused with a reason."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


@pytest.fixture
def run_id(answer: Any) -> str:
    """A run that asks to give money back."""
    made = f"clerk-{uuid.uuid4().hex[:8]}"
    started = answer("run", "clerk", "I want my money back", "--no-follow", "--id", made)
    assert started == {"workflow_id": made, "status": "running", "ui": None}
    return made


def test_a_request_is_listed_with_what_it_asks(
    run_id: str, asked: Any, answer: Any, interlock: Any
) -> None:
    """`approvals` shows the exact action, of one run and among those of all runs."""
    request = asked(run_id)
    (found,) = answer("approvals", run_id)
    assert found["workflow_id"] == run_id
    assert (found["tool"], found["arguments"]) == ("refund", {"order_id": "A-1", "amount": "40.00"})
    assert found["digest"] == request.digest
    assert found in answer("approvals", "--limit", "1000")
    text = interlock("approvals", run_id).stdout
    assert request.id in text
    assert '"amount": "40.00"' in text
    interlock("cancel", run_id)


def test_a_decision_made_elsewhere_is_followed_to_the_end(
    start: Any, interlock: Any, answer: Any
) -> None:
    """A run that is followed says how to decide; once somebody does, it ends with its reply."""
    following = start("run", "clerk", "I want my money back", "--json")
    words: list[str] = []
    while not words:
        line = following.stderr.readline()
        assert line, "the run ended without asking"
        words = line.split()[1:] if "interlock approve " in line else []
    done = interlock(*words)
    assert done.exit_code == 0
    assert "arguments" in done.stdout
    assert "accepted: approve, unverified" in done.stdout
    output, errors = following.communicate(timeout=30)
    assert following.returncode == 0, errors
    outcome = json.loads(output)
    assert (outcome["status"], outcome["reply"]) == ("completed", "I have seen to it.")
    assert (outcome["totals"]["decisions"], outcome["totals"]["tool_calls"]) == (1, 2)
    steps = answer("show", outcome["workflow_id"])["steps"]
    decided = next(step for step in steps if step["kind"] == "decided")
    assert (decided["verb"], decided["accepted"]) == ("approve", True)


def test_an_edit_runs_with_the_new_arguments(
    run_id: str, asked: Any, answer: Any, steps_of: Any
) -> None:
    """`edit --set` changes one argument; the tool is called with it."""
    request = asked(run_id)
    done = answer("edit", request.id[:10], "--run", run_id, "--set", "amount=10.00", "--yes")
    assert done == {
        "accepted": True,
        "workflow_id": run_id,
        "request_id": request.id,
        "verb": "edit",
        "verified": False,
    }
    calls = [step for step in steps_of(run_id) if step["kind"] == "tool"]
    assert calls[-1]["arguments"] == {"order_id": "A-1", "amount": "10.00"}


def test_a_rejection_reaches_the_agent(run_id: str, asked: Any, answer: Any, steps_of: Any) -> None:
    """`reject --comment` ends the request without the effect, and the model reads why."""
    request = asked(run_id)
    answer("reject", request.id, "--run", run_id, "--comment", "not this one")
    steps = steps_of(run_id)
    assert [step["tool"] for step in steps if step["kind"] == "tool"] == ["order"]
    last = [step for step in steps if step["kind"] == "model"][-1]
    assert "not this one" in last["new_messages"][-1]["text"]


def test_a_question_is_answered(asked: Any, answer: Any, steps_of: Any) -> None:
    """`respond` answers an interrupt() with text or JSON; the graph goes on with it."""
    for words, expected in ((("fine",), "fine"), (("--result", '{"n": 2}'), {"n": 2})):
        run_id = f"asker-{uuid.uuid4().hex[:8]}"
        answer("run", "asker", "--input", '{"about": "cats"}', "--no-follow", "--id", run_id)
        answer("respond", asked(run_id).id, *words, "--run", run_id)
        assert steps_of(run_id)[-1]["result"]["output"]["answer"] == expected


def test_a_used_decision_is_refused_by_the_run(
    run_id: str, asked: Any, answer: Any, steps_of: Any, interlock: Any, refusal: Any
) -> None:
    """The second decision on a request exits with 3 and the run's own reason, or its end."""
    request = asked(run_id)
    answer("approve", request.id, "--run", run_id)
    steps_of(run_id)
    assert refusal("approve", request.id) == (3, "UNKNOWN_REQUEST")
    assert refusal("approve", request.id, "--run", run_id) == (1, "RUN_FINISHED")
    told = interlock("approve", request.id)
    assert (told.exit_code, told.stdout) == (3, "")
    assert told.stderr.startswith("UNKNOWN_REQUEST: ")


def test_a_verb_that_does_not_fit_is_refused(
    run_id: str, asked: Any, interlock: Any, refusal: Any
) -> None:
    """A refusal of the desk keeps its code, and the request stays open."""
    request = asked(run_id)
    assert refusal("resolve", request.id, "abort", "--run", run_id) == (3, "VERB_NOT_ALLOWED")
    bad = ("edit", request.id, "--run", run_id, "--set", "amount=1", "--set", "colour=red")
    assert refusal(*bad) == (3, "BAD_ARGUMENTS")
    assert asked(run_id).id == request.id
    interlock("cancel", run_id)


def test_a_request_of_a_conversation_is_used_once(asked: Any, answer: Any, refusal: Any) -> None:
    """While the run is still open, a used request is refused as decided already."""
    run_id = f"clerk-{uuid.uuid4().hex[:8]}"
    message = "I want my money back"
    answer("run", "clerk", message, "--conversation", "--no-follow", "--id", run_id)
    request = asked(run_id)
    answer("approve", request.id, "--run", run_id)
    assert refusal("approve", request.id, "--run", run_id) == (3, "ALREADY_DECIDED")
    answer("cancel", run_id)


@pytest.mark.usefixtures("key")
def test_a_decision_is_signed_for_one_of_the_people(
    run_id: str, asked: Any, answer: Any, refusal: Any, steps_of: Any
) -> None:
    """Where the key is; the run refuses whoever is of another tenant, and knows who it was."""
    request = asked(run_id)
    words = (request.id, "--run", run_id)
    assert refusal("approve", *words, "--as", "eve") == (1, "BAD_INPUT")
    assert refusal("approve", *words, "--as", "noor") == (3, "OTHER_TENANT")
    assert answer("approve", *words, "--as", "ann")["verified"] is True
    decided = [step for step in steps_of(run_id) if step["kind"] == "decided" and step["accepted"]]
    assert [step["reviewer"] for step in decided] == ["ann"]


@pytest.mark.usefixtures("key")
def test_whoever_starts_a_run_does_not_decide_on_it(
    asked: Any, answer: Any, refusal: Any, interlock: Any
) -> None:
    """`run --as` says who asks; somebody that nobody knows starts nothing."""
    made = f"clerk-{uuid.uuid4().hex[:8]}"
    words = ("run", "clerk", "I want my money back", "--no-follow", "--id", made)
    assert refusal(*words, "--as", "eve") == (1, "BAD_INPUT")
    answer(*words, "--as", "ann")
    mine = (asked(made).id, "--run", made, "--as", "ann")
    assert refusal("approve", *mine) == (3, "OWN_REQUEST")
    assert made not in [run["workflow_id"] for run in answer("approvals", "--mine", "--as", "ann")]
    interlock("cancel", made)


def test_requests_are_listed_by_what_they_are_and_for_whom(
    run_id: str, asked: Any, answer: Any, refusal: Any, interlock: Any
) -> None:
    """By tool, risk and tenant, page by page, and by whom it waits for."""
    asked(run_id)

    def listed(*words: str) -> list[str]:
        return [item["workflow_id"] for item in answer("approvals", *words, "--limit", "1000")]

    assert run_id in listed("--tool", "refund", "--risk", "high", "--tenant", "default")
    for words in (("--tool", "order"), ("--risk", "low"), ("--tenant", "north")):
        assert run_id not in listed(*words)
    assert run_id in listed("--mine", "--as", "ann")
    assert run_id not in listed("--mine", "--as", "noor")
    until = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    (given,) = answer("delegate", "noor", "--until", until, "--as", "ann")
    assert run_id in listed("--mine", "--as", "noor")
    answer("delegate", "--end", given["id"], "--as", "ann")
    assert run_id not in listed("--mine", "--as", "noor")
    assert run_id not in listed("--at-least", "1"), "its tool names no amount"
    assert refusal("approvals", "--at-least", "much") == (1, "BAD_INPUT")
    assert refusal("approvals", "--mine", "--as", "eve") == (1, "BAD_INPUT")
    said = interlock("approvals", run_id, "--risk", "low").stdout
    assert said == "Nothing of this kind: 1 wait in all.\n"
    assert interlock("approvals", run_id, "--page", "2").stdout == "No more: 1 wait in all.\n"
    pages = [answer("approvals", run_id, "--limit", "1", "--page", page) for page in ("1", "2")]
    assert [len(page) for page in pages] == [1, 0]
    interlock("cancel", run_id)
