"""Every row of the bad-input table has a test that provokes the real thing."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from interlock.errors import LONGEST_MESSAGE, InterlockError
from tests.integration.bad_input.table import read_rows

ROOT = Path(__file__).parents[3]
HERE = "tests/integration/bad_input"

TESTS: dict[str, tuple[str, ...]] = {
    "unknown agent": (
        f"{HERE}/test_runs.py::test_an_unknown_agent",
        "tests/workflow/test_failures.py::test_an_unknown_agent_is_named_and_recorded",
    ),
    "wrong input shape": (
        f"{HERE}/test_runs.py::test_a_request_of_another_shape",
        "tests/workflow/test_runs.py::test_wrong_input_fails_at_once",
    ),
    "wrong graph input": (f"{HERE}/test_runs.py::test_an_input_that_the_graph_does_not_take",),
    "tool argument of the wrong type": (
        f"{HERE}/test_runs.py::test_an_argument_of_the_wrong_type",
        "tests/workflow/test_runs.py::test_mistakes_of_the_model_are_bounded",
    ),
    "unknown tool from the model": (
        f"{HERE}/test_runs.py::test_a_tool_that_does_not_exist",
        "tests/workflow/test_runs.py::test_an_unknown_tool_is_told_to_the_model",
    ),
    "tool call that is no JSON": (
        f"{HERE}/test_runs.py::test_a_tool_call_that_is_no_json",
        "tests/workflow/test_mistakes.py::test_an_answer_with_a_broken_call_is_asked_for_again",
    ),
    "tool result of the wrong shape": (f"{HERE}/test_runs.py::test_a_result_of_another_shape",),
    "role that is not configured": (f"{HERE}/test_runs.py::test_a_model_that_cannot_answer",),
    "state that cannot be kept": (
        "tests/workflow/test_subgraphs.py::test_a_state_that_cannot_be_kept_fails_the_run_at_once",
    ),
    "model without its key": (
        f"{HERE}/test_runs.py::test_a_model_that_cannot_answer",
        "tests/unit/models/test_providers.py::test_a_missing_key_names_its_variable",
    ),
    "model without its library": (
        f"{HERE}/test_runs.py::test_a_model_that_cannot_answer",
        "tests/unit/models/test_providers.py::test_a_missing_library_names_its_extra",
    ),
    "model without its file": (f"{HERE}/test_runs.py::test_a_model_that_cannot_answer",),
    "model file with a wrong hash": (
        f"{HERE}/test_runs.py::test_a_model_that_cannot_answer",
        "tests/unit/models/test_files.py::test_a_wrong_hash_is_refused_and_not_kept",
    ),
    "Temporal not reachable": (f"{HERE}/test_places.py::test_no_server_at_the_address",),
    "a second process on one Chroma folder": (
        f"{HERE}/test_places.py::test_a_second_worker_on_one_folder",
        "tests/integration/memory/test_embedded.py::test_a_second_process_is_refused",
    ),
    "folder not writable": (
        f"{HERE}/test_places.py::test_a_data_folder_that_cannot_be_written",
        "tests/integration/memory/test_embedded.py::test_an_unusable_folder_is_named",
    ),
    "payload folder not writable": (
        f"{HERE}/test_places.py::test_a_payload_folder_that_breaks_while_a_run_is_open",
    ),
    "database locked": (
        "tests/conformance/audit/test_database.py::test_locked_database_is_busy",
        f"{HERE}/test_places.py::test_a_database_that_is_locked_for_a_while",
    ),
    "tool result too large": (f"{HERE}/test_payloads.py::test_a_result_over_the_limit",),
    "error text too large": (f"{HERE}/test_payloads.py::test_an_error_text_of_5_mb_is_cut",),
    "input over 2 MB from a plain client": (
        f"{HERE}/test_payloads.py::test_an_input_from_a_plain_client",
    ),
    "update over 2 MB from a plain client": (
        f"{HERE}/test_payloads.py::test_an_update_from_a_plain_client",
    ),
    "answer over 128 KB read by a plain client": (
        f"{HERE}/test_payloads.py::test_an_answer_to_a_plain_client",
    ),
    "over 4 MB in one step": (f"{HERE}/test_payloads.py::test_over_4_mb_in_one_step",),
    "message to a finished run": (f"{HERE}/test_runs.py::test_a_message_to_a_finished_run",),
    "message to a run that is no conversation": (
        f"{HERE}/test_runs.py::test_a_message_to_a_run_that_answers_once",
        "tests/workflow/test_runs.py::test_messages_to_a_plain_run_are_refused",
    ),
    "too many unread messages": (
        f"{HERE}/test_runs.py::test_messages_that_nobody_reads_are_refused",
    ),
    "2,000 stray signals to a waiting run": (
        f"{HERE}/test_strays.py::test_two_thousand_strays_and_then_a_decision",
    ),
    "`interlock.toml` with an unknown key": (
        f"{HERE}/test_places.py::test_a_settings_file_that_is_wrong",
        "tests/unit/test_settings.py::test_an_unknown_key_is_named_with_what_is_allowed",
    ),
    "`interlock.toml` that is no TOML": (
        f"{HERE}/test_places.py::test_a_settings_file_that_is_wrong",
    ),
}
"""The tests of each row."""


@cache
def names_in(path: str) -> frozenset[str]:
    """Names of the tests of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def test_every_row_has_tests() -> None:
    """The rows of the document and of this file are the same."""
    assert list(read_rows()) == list(TESTS)


@pytest.mark.parametrize("name", sorted({test for tests in TESTS.values() for test in tests}))
def test_a_named_test_exists(name: str) -> None:
    """No row leans on a test that was renamed or removed."""
    path, _, function = name.partition("::")
    assert function in names_in(path)


def test_every_row_is_complete() -> None:
    """Each says how it happens, what the error says, what to do and who acts."""
    for row in read_rows().values():
        assert all((row.how, row.code, row.message, row.action, row.who)), row


def test_a_row_tells_errors_apart() -> None:
    """A row takes its own message with any values, and no other code or message."""
    found = read_rows()["unknown agent"]
    found.check("UNKNOWN_AGENT", "no agent 'x'. Known: a, b. Add it to 'agents' in interlock.toml.")
    for code, message in [
        ("BAD_INPUT", "no agent 'x'. Known: a. Add it to 'agents' in interlock.toml."),
        ("UNKNOWN_AGENT", "no agent 'x'."),
    ]:
        with pytest.raises(AssertionError):
            found.check(code, message)


def test_the_longest_message_is_named() -> None:
    """The document says at which length a message is cut."""
    assert f"{LONGEST_MESSAGE:,} characters" in (ROOT / "docs" / "errors.md").read_text()
    assert len(InterlockError("x" * 9_000).message) == LONGEST_MESSAGE
