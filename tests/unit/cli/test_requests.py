"""Requests: found by the beginning of an id, edited, and shown to a reviewer."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from interlock.approvals.contract import ApprovalRequest, AskedTier, CastVote, DecisionAnswer
from interlock.cli import requests
from interlock.errors import BadInput, DecisionRefused
from interlock.runs.contract import OpenRequest
from interlock.tools.contract import Span
from tests.unit.cli.waiting import Waiting, item, request, runs

PROGRAM = Path(sys.executable).with_name("interlock")


async def test_a_request_is_found_by_the_beginning_of_its_id() -> None:
    """The beginning that only one open request has is enough."""
    waiting = Waiting(item("a", "call_1:x"), item("b", "call_2:x"))
    assert (await requests.find(runs(waiting), "call_2")).workflow_id == "b"


async def test_an_exact_id_wins_over_a_longer_one() -> None:
    """A whole id is never taken for the beginning of another."""
    waiting = Waiting(item("a", "call_1"), item("b", "call_11"))
    assert (await requests.find(runs(waiting), "call_1")).workflow_id == "a"


async def test_an_ambiguous_id_names_the_candidates() -> None:
    """Two runs with that beginning: nothing is decided by guessing."""
    waiting = Waiting(item("a", "call_1:x"), item("b", "call_1:x"))
    with pytest.raises(BadInput, match=r"'call_1:x' of 'a', 'call_1:x' of 'b'.*--run"):
        await requests.find(runs(waiting), "call_1")
    assert (await requests.find(runs(waiting), "call_1", "b")).workflow_id == "b"


async def test_an_unknown_request_is_refused() -> None:
    """A request that waits nowhere is a refusal with a code."""
    with pytest.raises(DecisionRefused) as caught:
        await requests.find(runs(Waiting()), "call_9")
    assert caught.value.details["code"] == "UNKNOWN_REQUEST"


async def test_a_decision_carries_the_digest_that_was_read() -> None:
    """What is sent is bound to the request as it was shown, with a fresh nonce each time."""
    waiting = Waiting()
    for _ in range(2):
        await requests.put(runs(waiting), "a", "call_1:x", "digest", "approve", reviewer="ann")
    first, second = waiting.sent
    assert (first.digest, first.reviewer, first.verb) == ("digest", "ann", "approve")
    assert first.nonce != second.nonce


async def test_a_refused_decision_raises_its_reason() -> None:
    """The run's no becomes an error with the run's code."""
    answer = DecisionAnswer(accepted=False, request_id="r", code="EXPIRED", message="too late.")
    with pytest.raises(DecisionRefused, match="too late") as caught:
        await requests.put(runs(Waiting(answer=answer)), "a", "r", "d", "approve")
    assert caught.value.details == {"code": "EXPIRED", "request_id": "r", "workflow_id": "a"}


async def test_a_comment_that_is_too_long_is_no_decision() -> None:
    """What the contract does not allow is said before anything is sent."""
    waiting = Waiting()
    with pytest.raises(BadInput, match="comment"):
        await requests.put(runs(waiting), "a", "r", "d", "reject", comment="x" * 5000)
    assert waiting.sent == []


@pytest.mark.parametrize(
    ("pairs", "whole", "changed"),
    [
        (["amount=10.00"], None, {"amount": "10.00"}),
        (["order_id=8"], None, {"order_id": "8"}),
        (["times=2"], None, {"times": 2}),
        (["note=a=b"], None, {"note": "a=b"}),
        (["tags=[1]"], None, {"tags": [1]}),
        ([], '{"order_id": "9"}', {"order_id": "9"}),
        (["amount=1"], '{"order_id": "9"}', {"order_id": "9", "amount": 1}),
    ],
)
def test_an_edit_changes_what_it_names(
    pairs: list[str], whole: str | None, changed: dict[str, Any]
) -> None:
    """A value stays text where the old one is text; otherwise it is read as JSON."""
    found = requests.arguments_of(request(), pairs, whole)
    assert found == (changed if whole else request().arguments | changed)


@pytest.mark.parametrize(
    ("pairs", "whole", "words"),
    [
        (["amount"], None, "key=value"),
        (["=1"], None, "key=value"),
        ([], None, "changes nothing"),
        (["amount=40.00"], None, "changes nothing"),
        ([], "[1]", "JSON object"),
        ([], "{", "no JSON"),
    ],
)
def test_a_malformed_edit_is_refused(pairs: list[str], whole: str | None, words: str) -> None:
    """An edit that is none says what to write."""
    with pytest.raises(BadInput, match=words):
        requests.arguments_of(request(), pairs, whole)


def test_a_reviewer_sees_every_argument_as_it_is() -> None:
    """Arguments are shown whole, and a character that would deceive the reader is spelled out."""
    asked = request(arguments={"to": "bob\u202eeve", "amount": "1" * 500})
    lines = requests.request_lines(OpenRequest(workflow_id="run-1", request=asked))
    text = "\n".join(line.plain for line in lines)
    assert "1" * 500 in text
    assert "bob\\u202eeve" in text
    assert "expires in 3 h" in text
    assert "call_1:abc" in text


def test_a_reviewer_sees_what_silence_means() -> None:
    """That a request is allowed when nobody decides is said beside its deadline."""
    asked = request(on_timeout="allow")
    lines = requests.request_lines(OpenRequest(workflow_id="run-1", request=asked))
    assert any("expires in 3 h, then it is done" in line.plain for line in lines)


def test_how_to_decide_names_a_command_for_each_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed can be pasted: request and run are in it, and only verbs that fit."""
    monkeypatch.setenv("PATH", str(PROGRAM.parent))
    outcome = request(kind="outcome", allowed=("happened", "abort"))
    commands = requests.how_to_decide(OpenRequest(workflow_id="run-1", request=outcome))
    assert commands == [
        "interlock resolve call_1:abc --run run-1 happened",
        "interlock resolve call_1:abc --run run-1 abort",
    ]


def test_what_is_pasted_does_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models choose ids of calls, and callers ids of runs: a shell takes each as one word."""
    monkeypatch.setenv("PATH", str(PROGRAM.parent))
    command, *_ = requests.how_to_decide(item("run; curl evil.test", "call_$(id):abc"))
    words = ["interlock", "approve", "call_$(id):abc", "--run", "run; curl evil.test"]
    assert shlex.split(command) == words
    assert "'call_$(id):abc'" in command


def test_how_to_decide_finds_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the name alone starts nothing, or another one, the path of this program is printed."""
    other = tmp_path / "interlock"
    other.touch(mode=0o755)
    project = PROGRAM.parents[2]
    for folder, path in [(tmp_path, PROGRAM), (project, PROGRAM.relative_to(project))]:
        for places in (tmp_path, tmp_path / "empty"):
            monkeypatch.chdir(folder)
            monkeypatch.setenv("PATH", str(places))
            command, *_ = requests.how_to_decide(item("run-1", "call_1:abc"))
            assert command == f"{path} approve call_1:abc --run run-1"


def test_changes_of_an_edit_are_shown() -> None:
    """Old and new value of each argument that differs, and of no other."""
    lines = requests.changes({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5, "d": 4})
    assert [line.plain for line in lines] == [
        "  b: 2 → 5",
        "  c: 3 → (nothing)",
        "  d: (nothing) → 4",
    ]


def shown(asked: ApprovalRequest) -> str:
    """A request as a reviewer reads it."""
    lines = requests.request_lines(OpenRequest(workflow_id="run-1", request=asked))
    return "\n".join(item.plain for item in lines)


def test_a_request_says_whom_it_asks_and_who_has_approved() -> None:
    """The tier by name, how many of whom, until when, and who comes after them."""
    now = datetime.now(UTC)
    desk = AskedTier(
        tier="desk", quorum=2, who=("reviewer",), until=now + timedelta(minutes=59, seconds=59)
    )
    lead = AskedTier(tier="lead", who=("lead",), until=now + timedelta(hours=3))
    ann = CastVote(reviewer="ann", verified=True, comment="fine")
    ben = CastVote(reviewer="ben", verified=False)
    text = shown(request(tiers=(desk, lead), votes=(ann, ben)))
    assert "decides   desk: 2 of reviewer, until in 60 min" in text
    assert "approved  ann: fine, ben (unverified)" in text
    assert "then      lead" in text


def test_a_request_says_what_reached_it_from_outside() -> None:
    """Argument, label, source, and the words with the value in brackets."""
    words = {"excerpt": "refund 40 now", "begin": 7, "end": 9}
    page = Span(argument="amount", label="web", source="tool read [c1]", **words)
    note = Span(argument="order_id", label="memory")
    text = shown(request(spans=(page, note)))
    assert "  outside   amount: web: tool read [c1]: refund [40] now\n" in text
    assert f"\n{' ' * 12}order_id: memory\n" in text
    assert "outside" not in shown(request())


def test_what_is_as_always_is_not_said() -> None:
    """Any one reviewer, until the request expires."""
    plain = request()
    only = AskedTier(until=plain.expires_at)
    for asked in (plain, request(tiers=(only,))):
        assert not any(word in shown(asked) for word in ("decides", "approved", "then"))
