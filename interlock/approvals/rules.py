"""Rules of a policy as data: what they match and what they lead to. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from interlock.canonical import digest
from interlock.context import CallContext
from interlock.tools.contract import Ask, Effect, Risk, ToolContract
from interlock.tools.values import Duration, Names, matches

NOT_ENFORCED = ("quorum", "who", "remind_every", "escalate_to", "labels")
"""What a policy may be written with and nothing acts on yet: a policy that sets it is refused. Take
a name out when it is enforced."""

_TOKEN = re.compile(
    r"""[bB]?[rR][bB]?(?:"[^"\n]*"|'[^'\n]*')"""
    r"""|[rRbB]{0,2}(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|//[^\n]*|[\w.]+|\s+|[<>=!]=|&&|\|\||."""
)


def canonical_condition(text: str) -> str:
    """Return a CEL expression without comments and with one blank between its tokens."""
    found = (match.group() for match in _TOKEN.finditer(text))
    return " ".join(t for t in found if not t.isspace() and not t.startswith("//"))


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _in_order(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(values), key=str))


Effects = Annotated[tuple[Effect, ...], BeforeValidator(_listed), AfterValidator(_in_order)]
Risks = Annotated[tuple[Risk, ...], BeforeValidator(_listed), AfterValidator(_in_order)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Then(_Data):
    """What a rule leads to: `allow`, `ask`, {ask: terms} or {deny: reason}."""

    allow: Literal[True] | None = None
    deny: str | None = Field(default=None, min_length=1, max_length=500)
    ask: Ask | None = None

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        words: dict[Any, Any] = {"allow": {"allow": True}, "ask": {"ask": {}}}
        if value == "deny":
            raise ValueError("a denial needs a reason that the agent is told: {deny: 'Why not.'}")
        found = words.get(value) if isinstance(value, str) else value
        if not isinstance(found, dict) or len(found) != 1 or None in found.values():
            raise ValueError("write one of: allow, ask, {ask: {deadline: 4h}}, {deny: 'Why not.'}")
        return found

    @property
    def outcome(self) -> Literal["allow", "ask", "deny"]:
        """The word for it."""
        if self.allow:
            return "allow"
        return "ask" if self.ask is not None else "deny"


class Rule(_Data):
    """One rule. What is left out matches everything; every part that is there has to match."""

    name: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$")
    tool: Names = ("*",)
    """Patterns of tool names."""
    effect: Effects = ()
    risk: Risks = ()
    agent: Names = ()
    """Patterns of agent names; so for `tenant` and `subject`."""
    tenant: Names = ()
    subject: Names = ()
    labels: Names = ()
    """Labels of data that reached an argument; one of them is enough."""
    when: str = Field(default="", max_length=4000)
    """A CEL expression over args, context, risk and totals that has to be true."""
    then: Then

    def may_match(self, contract: ToolContract) -> bool:
        """Whether some call of a tool could match."""
        if not matches(self.tool, contract.name):
            return False
        return not self.effect or contract.effect in self.effect

    @property
    def asks_who(self) -> bool:
        """Whether it depends on who the call is for."""
        return bool(self.agent or self.tenant or self.subject or self.labels)

    def fits(self, context: CallContext, labels: tuple[str, ...]) -> bool:
        """Whether it is about whom the call is for and about data that reached it."""
        parts = (
            (self.agent, context.agent),
            (self.tenant, context.tenant),
            (self.subject, context.subject),
        )
        if not all(matches(patterns, name) for patterns, name in parts if patterns):
            return False
        return not self.labels or any(matches(self.labels, label) for label in labels)


class Total(_Data):
    """A running total over the effects of tools: what was done, or may have been, in a window."""

    tool: Names
    """Patterns of tool names."""
    sum: str | None = Field(default=None, pattern=r"^args(\.[A-Za-z_]\w*)+$")
    """The argument that is added up; without it calls are counted."""
    per: Literal["subject", "tenant"]
    """subject: effects for the same subject of the same tenant. tenant: all of the tenant's."""
    window: Duration
    """How far back it looks from the moment of the verdict."""

    @property
    def path(self) -> tuple[str, ...]:
        """Where in the arguments the number is."""
        return tuple(self.sum.split(".")[1:]) if self.sum else ()


class PolicyRules(_Data):
    """A policy file: totals by name, and rules of which the first that matches wins."""

    totals: dict[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")], Total] = Field(
        default_factory=dict
    )
    rules: tuple[Rule, ...]

    @property
    def version(self) -> str:
        """First 12 hex digits of the digest of the rules, whatever their formatting."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        for rule in data["rules"]:
            if "when" in rule:
                rule["when"] = canonical_condition(rule["when"])
        return digest({"policy": "rules", **data})[:12]
