"""Errors as answers: problem+json (RFC 9457) for programs, with the codes of the error tree."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from interlock.errors import (
    BadInput,
    CallerError,
    DecisionRefused,
    InterlockError,
    NotAllowed,
    NotSignedIn,
    OperatorError,
    RequestNotFound,
    RunCancelled,
    RunFinished,
    RunNotFound,
    TooManyRequests,
)

_log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[InterlockError], int], ...] = (
    (NotSignedIn, 401),
    (NotAllowed, 403),
    (RequestNotFound, 404),
    (RunNotFound, 404),
    (RunFinished, 409),
    (RunCancelled, 409),
    (TooManyRequests, 429),
    (BadInput, 422),
    (CallerError, 400),
    (OperatorError, 503),
)

_FORBIDDEN = ("NOT_A_REVIEWER", "OTHER_TENANT", "OWN_REQUEST", "UNSIGNED")
"""Refusals of whoever decided."""

_UNFIT = ("BAD_ARGUMENTS", "BAD_RESULT", "MALFORMED", "VERB_NOT_ALLOWED")
"""Refusals of a decision that is wrong in itself; of the others the state is another."""


class Problem(BaseModel):
    """Why something was not done (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Names the code; the pages of errors tell what to do.")
    title: str
    status: int
    detail: str = Field(description="What is wrong, what is allowed and what to do.")
    code: str = Field(
        description="Stable: a code of the error tree, or why a decision was refused."
    )


def problem_of(error: Exception) -> Problem:
    """Return an error as the problem that is shown."""
    if isinstance(error, InterlockError):
        code = code_of(error)
        return _problem(code, status_of(error), error.message)
    if isinstance(error, RequestValidationError):
        return _problem(BadInput.code, 422, _wrong(error))
    if isinstance(error, HTTPException):
        name = HTTPStatus(error.status_code).name
        return _problem(name, error.status_code, str(error.detail))
    _log.error("the inbox failed", exc_info=error)
    detail = "the inbox failed; its log says where. Nothing is known to have changed."
    return _problem("INTERNAL", 500, detail)


def answer_of(error: Exception) -> JSONResponse:
    """Return an error as a problem+json answer."""
    found = problem_of(error)
    headers: dict[str, str] = dict(getattr(error, "headers", None) or {})
    if found.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if found.status in (429, 503):
        headers["Retry-After"] = "60" if found.status == 429 else "5"
    return JSONResponse(
        found.model_dump(),
        found.status,
        headers=headers,
        media_type="application/problem+json",
    )


def code_of(error: InterlockError) -> str:
    """Return the code to show: of a refused decision, why it was refused."""
    if isinstance(error, DecisionRefused):
        return str(error.details.get("code", error.code))
    return error.code


def status_of(error: InterlockError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, DecisionRefused):
        code = code_of(error)
        if code in _FORBIDDEN:
            return 403
        if code in _UNFIT:
            return 422
        return 404 if code == "UNKNOWN_REQUEST" else 409
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _problem(code: str, status: int, detail: str) -> Problem:
    return Problem(
        type=f"urn:interlock:error:{code.lower().replace('_', '-')}",
        title=HTTPStatus(status).phrase,
        status=status,
        # What somebody has sent may hold halves of characters, which no answer can.
        detail=detail.encode("utf-8", "backslashreplace").decode(),
        code=code,
    )


def _wrong(error: RequestValidationError) -> str:
    parts = [
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
    ]
    return "; ".join(parts) + "."


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the problems that an operation may answer with, for its description."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content, "model": Problem}
        for status in (400, 401, 403, 422, 429, 503, *statuses)
    }
