"""What is no history is refused in words that say what is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interlock.errors import BadInput
from interlock.replay import dump, parse, read_file

STARTED = {
    "eventId": "1",
    "eventTime": "2026-11-01T10:00:00Z",
    "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
    "workflowExecutionStartedEventAttributes": {
        "workflowType": {"name": "AgentWorkflow"},
        "originalExecutionRunId": "r-1",
        "firstExecutionRunId": "r-1",
    },
}
SCHEDULED = {"eventId": "2", "eventType": "WorkflowTaskScheduled"}


def text(*events: Any, **more: Any) -> str:
    """A history file."""
    return json.dumps({"events": events, **more})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("[]", "has no list of 'events'"),
        ("7", "has no list of 'events'"),
        ('{"events": {}}', "has no list of 'events'"),
        (text(), "does not begin with the start of a run"),
        (text(SCHEDULED), "does not begin with the start of a run"),
        (text("started"), "holds no events of Temporal"),
        (text({"eventId": "one"}), "holds no events of Temporal"),
        (text(STARTED, {**SCHEDULED, "eventId": "5"}), "lacks events"),
        (text(STARTED, format="interlock-history/9"), "has the format 'interlock-history/9'"),
    ],
)
def test_other_files_are_refused(given: str, told: str, tmp_path: Path) -> None:
    """The file is named, and what is wrong with it."""
    path = tmp_path / "run.json"
    path.write_text(given, encoding="utf-8")
    with pytest.raises(BadInput, match=told) as refused:
        read_file(path)
    assert str(path) in refused.value.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder and a file that is no text."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", ".", "binary"):
        with pytest.raises(BadInput, match="cannot be read"):
            read_file(tmp_path / name)


def test_ids_come_from_the_file_or_from_the_events() -> None:
    """What a file says of itself wins; without that the events tell, or there is a stand-in."""
    bare = parse(text(STARTED, SCHEDULED))
    assert (bare.workflow_id, bare.run_id, bare.namespace) == ("unnamed", "r-1", "default")
    named = parse(text(STARTED, workflowId="w-1", namespace="shop"))
    assert (named.workflow_id, named.namespace) == ("w-1", "shop")


def test_the_namespace_is_found_in_a_recorded_call() -> None:
    """Effect keys are made of it, so a replay in another one would ask for other effects."""
    call = {"context": {"lineage": "shop/team/w-1/r-1"}}
    payloads = [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": _base64(json.dumps(call))}]
    scheduled = {
        "eventId": "2",
        "eventType": "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED",
        "activityTaskScheduledEventAttributes": {"input": {"payloads": payloads}},
    }
    assert parse(text(STARTED, scheduled)).namespace == "shop"


def _base64(plain: str) -> str:
    import base64

    return base64.b64encode(plain.encode()).decode()


def test_what_is_dumped_is_parsed_again() -> None:
    """Ids and events survive."""
    history = parse(text(STARTED, SCHEDULED, workflowId="w-1", namespace="shop"))
    assert parse(dump(history)) == history
