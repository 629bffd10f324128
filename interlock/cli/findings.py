"""What the checks of `interlock doctor` say."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from interlock.errors import InterlockError


class Finding(BaseModel):
    """What one check found."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: Literal["ok", "warn", "fail"]
    message: str
    remedy: str = ""
    """What to do about it."""


def ok(name: str, message: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(name=name, state="ok", message=message)


def warn(name: str, message: str, remedy: str) -> Finding:
    """Return that something works, and could be better."""
    return Finding(name=name, state="warn", message=message, remedy=remedy)


def fail(name: str, message: str, remedy: str) -> Finding:
    """Return that something does not work."""
    return Finding(name=name, state="fail", message=message, remedy=remedy)


def failed(name: str, error: InterlockError) -> Finding:
    """Return the finding of an error; its message says what to do."""
    return Finding(name=name, state="fail", message=f"{error.code}: {error.message}")
