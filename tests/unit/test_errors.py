"""The error tree: stable codes, drawn as it is, whole after pickling and after a wire."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock import errors
from interlock.errors import (
    LONGEST_MESSAGE,
    InterlockError,
    ToolFailed,
    ToolRetry,
    from_code,
    said,
    shortened,
)

CODES = [
    "ACTION_DENIED",
    "ACTIVITY_FAILED",
    "APPROVAL_EXPIRED",
    "APPROVAL_REJECTED",
    "BAD_ARGUMENTS",
    "BAD_INPUT",
    "BAD_RESULT",
    "CALLER_ERROR",
    "CIRCUIT_OPEN",
    "CONFIG_INVALID",
    "DATABASE_BUSY",
    "DATABASE_UNREACHABLE",
    "DECISION_REFUSED",
    "DEVELOPER_ERROR",
    "EFFECT_ABORTED",
    "GRAPH_FAILED",
    "HUMAN_NEEDED",
    "INTERLOCK",
    "LEDGER_CONFLICT",
    "LIMIT_REACHED",
    "MODEL_FILE_CORRUPT",
    "MODEL_MISSING",
    "MODEL_MISTAKE",
    "MODEL_UNAVAILABLE",
    "NOT_ALLOWED",
    "NOT_A_CONVERSATION",
    "NOT_SERIALIZABLE",
    "NOT_SIGNED_IN",
    "NOT_TOLD",
    "NO_PORT",
    "NO_WORKER",
    "OPERATOR_ERROR",
    "OUTCOME_UNKNOWN",
    "PAYLOAD_MISSING",
    "REPLAY_DIVERGED",
    "REQUEST_NOT_FOUND",
    "RESULT_TOO_LARGE",
    "RUN_CANCELLED",
    "RUN_FINISHED",
    "RUN_NOT_FOUND",
    "SCRIPT_MISMATCH",
    "STORE_LOCKED",
    "STORE_UNREACHABLE",
    "STORE_UNWRITABLE",
    "TEMPORAL_UNREACHABLE",
    "THROTTLED",
    "TOOL_ERROR",
    "TOOL_FAILED",
    "TOOL_RETRY",
    "TOOL_UNAVAILABLE",
    "TOO_MANY_REQUESTS",
    "UNKNOWN_AGENT",
    "UNKNOWN_TOOL",
    "UNSUPPORTED_IN_WORKFLOW",
]
"""Codes are stored in histories and audit events and read by callers: none may change or go."""

RETRYABLE = {
    "ACTIVITY_FAILED",
    "DATABASE_BUSY",
    "DATABASE_UNREACHABLE",
    "LEDGER_CONFLICT",
    "MODEL_UNAVAILABLE",
    "NOT_TOLD",
    "NO_WORKER",
    "STORE_UNREACHABLE",
    "TEMPORAL_UNREACHABLE",
    "THROTTLED",
    "TOO_MANY_REQUESTS",
}


def tree(root: type[InterlockError]) -> list[type[InterlockError]]:
    """A class and all below it, as defined."""
    return [root, *(found for child in root.__subclasses__() for found in tree(child))]


KINDS = [kind for kind in tree(InterlockError) if kind.__module__ == errors.__name__]


def test_codes_are_stable_and_unique() -> None:
    """Every class has a code of its own, and the codes are the ones that were always there."""
    assert sorted(kind.code for kind in KINDS) == sorted(CODES)
    assert all("code" in vars(kind) for kind in KINDS)
    assert {kind.code for kind in KINDS if kind.retryable} == RETRYABLE


def test_the_drawing_is_the_tree() -> None:
    """The module's docstring shows every class at its place, and every leaf with its code."""
    drawn: list[tuple[str, str, str]] = []
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.fullmatch(r"    ([│├└─ ]*)([A-Z]\w+)(?: +([A-Z_]+)\b.*| {2,}.*)?", line)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            drawn.append((found[2], above[depth - 1] if depth else "Exception", found[3] or ""))
    assert [(name, parent) for name, parent, _ in drawn] == [
        (kind.__name__, kind.__bases__[0].__name__) for kind in KINDS
    ]
    codes = {kind.__name__: kind.code for kind in KINDS}
    leaves = {kind.__name__ for kind in KINDS if not kind.__subclasses__()}
    assert {name: code for name, _, code in drawn if name in leaves} == {
        name: codes[name] for name in leaves
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_an_error_survives_pickling_and_a_wire(kind: type[InterlockError]) -> None:
    """Class, message and details come back, whatever the details are called."""
    details = {"message": "m", "name": "n", "self": 1, "nested": {"a": [1, None]}}
    error = kind("what happened", **details)
    for again in (pickle.loads(pickle.dumps(error)), from_code(kind.code, error.message, details)):
        assert type(again) is kind
        assert (again.message, str(again), again.details) == (
            "what happened",
            "what happened",
            details,
        )
        assert (again.code, again.retryable) == (kind.code, kind.retryable)


def test_an_unknown_code_is_no_error_of_the_tree() -> None:
    """Codes of others are left to whoever asked."""
    assert from_code("PayloadsTooLarge", "m", {}) is None


def test_pickling_keeps_a_users_own_class() -> None:
    """A subclass outside the tree keeps its class too."""
    again = pickle.loads(pickle.dumps(OutOfPaper("no paper", tray=2)))
    assert (type(again), again.code, again.details) == (OutOfPaper, "TOOL_RETRY", {"tray": 2})


class OutOfPaper(ToolRetry):
    """A user's own mistake of the model."""


@given(st.text(), st.integers(min_value=60, max_value=200))
def test_a_text_is_cut_in_the_middle(text: str, longest: int) -> None:
    """It is never longer than allowed, begins and ends as before, and is whole if it fits."""
    cut = shortened(text * 9, longest)
    assert len(cut) <= longest
    if len(text) * 9 <= longest:
        assert cut == text * 9
    else:
        assert len(cut) == longest
        assert cut[:10] == (text * 9)[:10]
        assert cut[-10:] == (text * 9)[-10:]
        assert f"{len(text) * 9} characters" in cut


def test_a_message_is_never_longer_than_allowed() -> None:
    """What a failure could not carry never becomes a message."""
    error = InterlockError("x" * 5_000_000)
    assert len(str(error)) == len(error.message) == LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("GET https://a.example/v1/x?api_key=hush&b=1 failed", "GET https://a.example/v1/x?... failed"),
        ("for url 'https://user:hush@a.example/x'", "for url 'https://...@a.example/x'"),
        ("postgresql+psycopg://u:hush@db:5432/x", "postgresql+psycopg://...@db:5432/x"),
        ("see https://a.example/docs#part, or is it?", "see https://a.example/docs#part, or is it?"),
        ("mail a@b.example? //no", "mail a@b.example? //no"),
    ],
)  # fmt: skip
def test_a_message_has_no_secrets_of_an_address(text: str, told: str) -> None:
    """Libraries name whole addresses in their errors; keys are in their queries and credentials."""
    assert str(ToolFailed(text)) == told
    assert said(ValueError(text)) == f"ValueError: {told}"
