"""Single events, in the order in which a server gives them, become the right steps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from interlock.approvals import DecisionAnswer
from interlock.models.tool_calls import made_id
from interlock.replay import Step, StepReader
from interlock.replay.answers import call_steps
from interlock.replay.calls import Answer, Call, LocalClock
from interlock.replay.decisions import Decisions
from interlock.replay.problems import problem
from interlock.replay.steps import (
    ActivityRan,
    Asked,
    CancelAsked,
    Decided,
    Ended,
    Judged,
    Opened,
    Remembered,
    Signalled,
    Started,
    Stumbled,
    ToolCalled,
    Withdrawn,
)

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Events:
    """Events with rising ids, a second apart, fed to a reader."""

    def __init__(self) -> None:
        self.reader = StepReader()
        self.count = 0

    def feed(self, kind: str, summary: str = "", **fields: Any) -> list[Step]:
        """Feed one event of a kind and return its steps."""
        self.count += 1
        event = HistoryEvent(event_id=self.count)
        event.event_time.FromDatetime(NOON + timedelta(seconds=self.count))
        attributes = getattr(event, f"{kind}_event_attributes")
        attributes.SetInParent()
        attributes.MergeFrom(type(attributes)(**fields))
        if summary:
            event.user_metadata.summary.CopyFrom(payload(summary))
        return self.reader.feed(event)

    def local(self, name: str, result: Any = None, failure: Any = None, **data: Any) -> list[Step]:
        """Feed the marker of a local activity."""
        data = {"activity_type": name, "activity_id": "1", "attempt": 1, **data}
        fields: dict[str, Any] = {
            "marker_name": "core_local_activity",
            "details": {
                "data": {"payloads": [payload(data)]},
                "result": {"payloads": [payload(result)]},
            },
        }
        if failure is not None:
            fields["failure"] = failure
        return self.feed("marker_recorded", data.pop("summary", ""), **fields)


def payload(value: Any) -> Payload:
    """A JSON payload."""
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


def given(*values: Any) -> dict[str, Any]:
    """Arguments as events hold them."""
    return {"payloads": [payload(value) for value in values]}


def failed(code: str, message: str = "no") -> Failure:
    """A failure of an activity with a code of the tree."""
    return Failure(message=message, application_failure_info={"type": code})


def test_activities_that_fail_time_out_or_are_cancelled_have_an_error() -> None:
    """The code, the attempts and the time of the last one are told; there is no result."""
    events = Events()
    for closing, fields, code in (
        ("activity_task_failed", {"failure": failed("MODEL_UNAVAILABLE")}, "MODEL_UNAVAILABLE"),
        (
            "activity_task_timed_out",
            {"failure": Failure(message="late", timeout_failure_info={})},
            "TIMED_OUT",
        ),
        ("activity_task_canceled", {}, "CANCELLED"),
    ):
        events.feed(
            "activity_task_scheduled",
            activity_type={"name": "tool.call"},
            activity_id="5",
            input=given({"tool": "pay", "arguments": {"n": 1}, "context": {"node": "act"}}),
        )
        scheduled = events.count
        events.feed("activity_task_started", scheduled_event_id=scheduled, attempt=3)
        (step,) = events.feed(closing, scheduled_event_id=scheduled, **fields)
        assert isinstance(step, ToolCalled)
        assert step.error is not None
        assert (step.error.code, step.status, step.attempts) == (code, "", 3)
        assert (step.tool, step.node, step.arguments) == ("pay", "act", {"n": 1})
        assert step.seconds == 1.0


def test_a_local_activity_that_fails_or_waits_for_another_attempt() -> None:
    """A failure is a step; a marker that only says 'later' is none."""
    events = Events()
    events.feed("workflow_task_started")
    assert events.local("run.open", None, backoff={"seconds": 70, "nanos": 0}) == []
    (step,) = events.local("run.open", None, failed("DATABASE_BUSY", "locked"), attempt=4)
    assert isinstance(step, Opened)
    assert step.error is not None
    assert (step.error.code, step.error.message, step.attempts) == ("DATABASE_BUSY", "locked", 4)


def test_memory_shows_what_came_back() -> None:
    """Titles and scores of what was found, the query when it is known, lists of names as nothing."""
    item = {
        "namespace": ["docs"],
        "key": "refunds",
        "value": {"title": "Refund policy", "text": "..."},
        "created_at": NOON.isoformat(),
        "updated_at": NOON.isoformat(),
        "score": 0.7,
    }
    events = Events()
    (step,) = events.local(
        "memory.batch",
        {"answers": [[item], None, [["docs"]]]},
        summary="memory search, get [recall]",
    )
    assert isinstance(step, Remembered)
    assert (step.node, step.ops, step.queries) == ("recall", ("search", "get"), ())
    (found,) = step.found
    assert (found.namespace, found.key, found.title) == (("docs",), "refunds", "Refund policy")
    values: list[dict[str, Any]] = [
        {"text": "Money " * 20},
        {"intent": "refund", "n": 1, "said": "Pay"},
    ]
    untitled = [{**item, "value": value} for value in values]
    (step,) = events.local("memory.batch", {"answers": [untitled]}, summary="memory get")
    assert isinstance(step, Remembered)
    assert [one.title for one in step.found] == [("Money " * 14)[:80] + "...", "refund, Pay"]
    call = Call(
        name="memory.batch",
        key="2",
        local=False,
        question={"ops": [{"op": "search", "query": "money back"}, {"op": "put"}]},
    )
    (asked,) = call_steps(1, NOON, call, Answer(result={"answers": [[], None]}))
    assert isinstance(asked, Remembered)
    assert (asked.ops, asked.queries) == (("search", "put"), ("money back",))


def test_a_call_that_was_judged_on_the_way_is_two_steps() -> None:
    """Its verdict comes first, with the arguments that a local call had; one that is held is no call."""
    verdict = {
        "outcome": "allow",
        "reason": "it reads",
        "risk": "low",
        "policy": "p",
        "arguments": {"n": 1},
    }
    events = Events()
    outcome = {"status": "done", "result": 2, "verdict": verdict}
    judged, called = events.local("tool.call", outcome, summary="tool look [act]")
    assert isinstance(judged, Judged)
    assert (judged.tool, judged.outcome, judged.arguments) == ("look", "allow", {"n": 1})
    assert isinstance(called, ToolCalled)
    assert (called.node, called.arguments, called.result) == ("act", {"n": 1}, 2)
    held = {"status": "held", "verdict": {**verdict, "outcome": "deny"}}
    (alone,) = events.local("tool.call", held, summary="tool look [act]")
    assert isinstance(alone, Judged)
    assert alone.outcome == "deny"


def test_what_another_version_recorded_is_shown_as_it_is() -> None:
    """An answer that does not fit today's contract does not hide the run."""
    call = Call(name="tool.call", key="1", local=True, summary="tool pay [act]")
    (step,) = call_steps(1, NOON, call, Answer(result={"outcome": "done"}))
    assert isinstance(step, ActivityRan)
    assert (step.name, step.node, step.result) == ("tool.call", "act", {"outcome": "done"})


def test_a_deployments_own_workflow_shows_its_activities_and_signals() -> None:
    """Their input and result are there, and the workflow's arguments as they were given."""
    events = Events()
    (started,) = events.feed(
        "workflow_execution_started", workflow_type={"name": "Case"}, input=given("a", {"b": 1})
    )
    assert isinstance(started, Started)
    assert (started.workflow_type, started.agent, started.input) == ("Case", "", ["a", {"b": 1}])
    events.feed("activity_task_scheduled", activity_type={"name": "notify"}, input=given("ann"))
    (ran,) = events.feed("activity_task_completed", scheduled_event_id=2, result=given("sent"))
    assert isinstance(ran, ActivityRan)
    assert (ran.name, ran.input, ran.result) == ("notify", "ann", "sent")
    (signal,) = events.feed("workflow_execution_signaled", signal_name="nudge", input=given(3))
    assert isinstance(signal, Signalled)
    assert (signal.name, signal.input) == ("nudge", 3)
    assert events.feed("marker_recorded", marker_name="Version") == []


def test_ends_of_every_kind() -> None:
    """How a run ended, and what there is to say about it."""
    events = Events()
    ends = [
        events.feed("workflow_execution_completed", result=given({"status": "completed"})),
        events.feed("workflow_execution_completed", result=given({"status": "cancelled"})),
        events.feed("workflow_execution_failed", failure=failed("GRAPH_FAILED")),
        events.feed("workflow_execution_canceled"),
        events.feed("workflow_execution_terminated", reason="by hand"),
        events.feed("workflow_execution_timed_out"),
        events.feed("workflow_execution_continued_as_new", new_execution_run_id="r-2"),
    ]
    steps = [step for (step,) in ends if isinstance(step, Ended)]
    assert [step.status for step in steps] == [
        "completed",
        "cancelled",
        "failed",
        "cancelled",
        "terminated",
        "timed_out",
        "continued_as_new",
    ]
    assert [step.error.code for step in steps if step.error] == ["GRAPH_FAILED", "TERMINATED"]
    assert steps[-1].next_run_id == "r-2"


def test_a_worker_that_could_not_go_on_is_shown() -> None:
    """Changed code is; a task that Temporal only takes back because something came in is not."""
    events = Events()
    cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
    (step,) = events.feed("workflow_task_failed", cause=cause, failure={"message": "TMPRL1100"})
    assert isinstance(step, Stumbled)
    assert (step.cause, step.message) == ("non_deterministic_error", "TMPRL1100")
    unhandled = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    assert events.feed("workflow_task_failed", cause=unhandled) == []
    (asked,) = events.feed("workflow_execution_cancel_requested", cause="stop")
    assert isinstance(asked, CancelAsked)
    assert asked.reason == "stop"


def test_a_request_without_a_deadline_timer_is_shown_too() -> None:
    """The next event of another kind completes it."""
    events = Events()
    memo = {"fields": {"pending": payload(["c1:0123456789ab"])}}
    assert events.feed("workflow_properties_modified", upserted_memo=memo) == []
    (asked,) = events.feed("workflow_task_scheduled")
    assert asked.kind == "asked"
    assert asked.request_id == "c1:0123456789ab"
    other = {"fields": {"note": payload("mine")}}
    assert events.feed("workflow_properties_modified", upserted_memo=other) == []


def test_a_request_is_about_the_call_that_got_an_id_of_its_own() -> None:
    """A provider repeated an id, and the run replaced it: the arguments are found all the same."""
    events = Events()
    calls = [{"name": "pay", "args": {"n": n}, "id": "c1", "type": "tool_call"} for n in (1, 2)]
    answer = {
        "message": {
            "$message": "AIMessage",
            "data": {"content": "", "id": "m", "tool_calls": calls},
        },
        "ref": "r",
        "model": "scripted:x",
    }
    question = given({"role": "fast", "call_id": "m1", "messages": []})
    events.feed("activity_task_scheduled", activity_type={"name": "model.call"}, input=question)
    events.feed("activity_task_completed", scheduled_event_id=1, result=given(answer))
    memo = {"fields": {"pending": payload([f"{made_id('m', 1)}:0123456789ab"])}}
    events.feed("workflow_properties_modified", upserted_memo=memo)
    (asked,) = events.feed("timer_started", "deadline of pay", timer_id="1")
    assert isinstance(asked, Asked)
    assert (asked.tool, asked.arguments) == ("pay", {"n": 2})


REQUEST = "c1:0123456789ab"
FITS = {"request_id": REQUEST, "verb": "approve", "digest": "0123456789ab" + "0" * 52}


def test_the_first_signal_that_fits_is_the_one_that_counted() -> None:
    """A signal for another action and a second one for the same are refused, each with its reason."""
    decisions = Decisions()
    decisions.memo(1, NOON, [REQUEST])
    wrong = {**FITS, "digest": "f" * 64}
    for number, decision in enumerate((wrong, FITS, FITS), start=2):
        decisions.signal(number, NOON, decision)
    assert decisions.refused() == [], "nobody has handled them yet"
    decisions.task_completed()
    opened, (counted,) = decisions.memo(9, NOON, [])
    assert opened == []
    assert isinstance(counted, Decided)
    assert (counted.event_id, counted.accepted) == (3, True)
    assert [(step.event_id, step.code) for step in decisions.refused()] == [
        (2, "ALREADY_DECIDED"),
        (4, "ALREADY_DECIDED"),
    ]


def test_a_request_that_had_a_vote_may_expire_all_the_same() -> None:
    """One of two approvals does not end it."""
    decisions = Decisions()
    decisions.memo(1, NOON, [REQUEST])
    vote = DecisionAnswer(accepted=True, request_id=REQUEST, missing=1)
    (step,) = decisions.update(2, NOON, FITS, vote)
    assert (step.accepted, step.missing) == (True, 1)
    _, (gone,) = decisions.memo(3, NOON, [])
    assert isinstance(gone, Withdrawn)


def test_reasons_of_refused_signals() -> None:
    """Too late, malformed, unknown, about another action, or for a reason that only audit has."""
    decisions = Decisions()
    decisions.memo(1, NOON, ["old:000000000000"])
    _, (gone,) = decisions.memo(2, NOON, [REQUEST])
    assert isinstance(gone, Withdrawn)
    sent: list[Any] = [
        {"request_id": "old:000000000000"},
        "yes",
        {"request_id": "x:y"},
        {**FITS, "digest": "f" * 64},
        FITS,
    ]
    for decision in sent:
        decisions.signal(3, NOON, decision)
    decisions.task_completed()
    assert [step.code for step in decisions.refused()] == [
        "EXPIRED",
        "MALFORMED",
        "UNKNOWN_REQUEST",
        "DIGEST_MISMATCH",
        "DECISION_REFUSED",
    ]


def test_local_activities_side_by_side_and_one_after_the_other() -> None:
    """Two that begin together are timed from the same moment, a later one from where it began."""
    clock = LocalClock(NOON)

    def marker(asked: float, over: float) -> dict[str, Any]:
        def stamp(seconds: float) -> dict[str, int]:
            whole = NOON.timestamp() + seconds
            return {"seconds": int(whole), "nanos": round((whole % 1) * 1e9)}

        return {"original_schedule_time": stamp(asked), "complete_time": stamp(over)}

    assert clock.seconds(marker(5.0, 0.25)) == 0.25
    assert clock.seconds(marker(5.0, 0.5)) == 0.5
    assert clock.seconds(marker(6.0, 0.75)) == 0.25
    assert clock.seconds({}) is None


def test_failures_say_their_innermost_code() -> None:
    """A wrapper is looked through, to the first error with a code; a bare failure keeps its words."""
    wrapped = Failure(message="activity failed", activity_failure_info={"activity_id": "1"})
    wrapped.cause.CopyFrom(failed("TOOL_FAILED", "closed account"))
    wrapped.cause.application_failure_info.details.payloads.append(payload({"tool": "pay"}))
    found = problem(wrapped)
    assert (found.code, found.message, found.details) == (
        "TOOL_FAILED",
        "closed account",
        {"tool": "pay"},
    )
    assert problem(Failure(message="odd")).code == "ERROR"
    assert problem(Failure(terminated_failure_info={})).code == "TERMINATED"
    assert problem(Failure(canceled_failure_info={})).code == "CANCELLED"


def test_calls_in_words() -> None:
    """Door, subject and node, from the input or from the summary; a foreign summary is only shown."""
    texts = [
        Call(name="model.call", key="1", local=False, summary="model fast [think]"),
        Call(name="policy.judge", key="1", local=True, summary="verdict on pay"),
        Call(name="tool.call", key="1", local=False, question={"tool": "pay", "context": {}}),
        Call(name="node.check", key="1", local=False),
        Call(name="notify", key="1", local=False, summary="tool pay [act]"),
        Call(name="notify", key="1", local=False),
    ]
    assert [call.text for call in texts] == [
        "model call 'fast' in node 'think'",
        "verdict on 'pay'",
        "tool call 'pay'",
        "activity node 'check'",
        "activity 'notify' (tool pay [act])",
        "activity 'notify'",
    ]
