"""The terms of a throttle: so many calls in a time, for all workers together. Safe in a workflow."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)

from interlock.errors import ConfigError

Scope = Literal["tool", "tenant", "subject"]
"""Who shares a rate: all calls of the tool, those of one tenant, or those of one subject."""

_RATE = re.compile(r"^(\d{1,9}(?:\.\d{1,9})?)/(s|min|h)", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3600}


class Throttle(BaseModel):
    """One rate for all workers together, kept over restarts.

    Raises:
        ConfigError: the terms are no throttle; the message says what is allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: str
    """'10/s', '90/min' or '500/h'."""
    burst: int | None = Field(default=None, ge=1, le=1_000_000, strict=True)
    """Calls that may start at once after a pause. Default: what a second allows, at least one."""
    scope: Scope = "tool"
    """Who shares the rate."""

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            wrong = " ".join(
                f"{'.'.join(map(str, item['loc']))!r}: {item['msg'].removeprefix('Value error, ')}."
                for item in error.errors()
            )
            raise ConfigError(f"throttle: {wrong}") from error

    @field_validator("rate")
    @classmethod
    def _is_rate(cls, rate: str) -> str:
        found = _RATE.fullmatch(rate)
        if found is None or float(found[1]) == 0:
            raise ValueError(f"{rate!r} is no rate; write '10/s', '90/min' or '500/h'")
        return rate

    @property
    def per_second(self) -> float:
        """Calls a second."""
        number, _, unit = self.rate.partition("/")
        return float(number) / _SECONDS[unit]

    @property
    def at_once(self) -> int:
        """Calls that may start at once after a pause."""
        return max(1, int(self.per_second)) if self.burst is None else self.burst

    def __str__(self) -> str:
        """Return the rate as it is shown: '10/s', '10/s of each tenant'."""
        return self.rate if self.scope == "tool" else f"{self.rate} of each {self.scope}"
