"""Rules of a policy as data: what they match and what they lead to. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from interlock.canonical import digest
from interlock.context import CallContext
from interlock.tools.contract import Ask, Effect, Risk, Tier, ToolContract
from interlock.tools.values import Duration, Names, listed, matches

_TOKEN = re.compile(
    r"""[bB]?[rR][bB]?(?:"[^"\n]*"|'[^'\n]*')"""
    r"""|[rRbB]{0,2}(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|//[^\n]*|[\w.]+|\s+|[<>=!]=|&&|\|\||."""
)


def canonical_condition(text: str) -> str:
    """Return a CEL expression without comments and with one blank between its tokens."""
    found = (match.group() for match in _TOKEN.finditer(text))
    return " ".join(t for t in found if not t.isspace() and not t.startswith("//"))


def _in_order(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(values), key=str))


def _who(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name in ("", "user:") or name != name.strip():
            raise ValueError(f"{name!r} is neither a role nor a person. Write lead, or user:ann.")
    return names


Effects = Annotated[tuple[Effect, ...], BeforeValidator(listed), AfterValidator(_in_order)]
Risks = Annotated[tuple[Risk, ...], BeforeValidator(listed), AfterValidator(_in_order)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Who = Annotated[Names, AfterValidator(_who)]
"""Roles, and people as 'user:SUBJECT'."""

TierName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,59}$")]


class TierTerms(_Data):
    """A group of reviewers as a policy file defines it, and who is asked after them."""

    who: Who = ()
    quorum: int = Field(default=1, ge=1, le=20, strict=True)
    deadline: Duration | None = None
    remind_every: Duration | None = None
    escalate_to: TierName | None = None


class Terms(_Data):
    """On what terms a rule asks. What is left out is as the tier says."""

    tier: TierName | None = None
    who: Who | None = None
    quorum: int | None = Field(default=None, ge=1, le=20, strict=True)
    deadline: Duration | None = None
    remind_every: Duration | None = None
    escalate_to: TierName | None = None
    on_timeout: Literal["deny", "allow"] = "deny"


class Then(_Data):
    """What a rule leads to: `allow`, `ask`, {ask: terms} or {deny: reason}."""

    allow: Literal[True] | None = None
    deny: str | None = Field(default=None, min_length=1, max_length=500)
    ask: Terms | None = None

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
    """Patterns of labels of text from outside that reached an argument; one of them is enough."""
    when: str = Field(default="", max_length=4000)
    """A CEL expression over args, labels, context, risk and totals that has to be true."""
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

    def fits(self, context: CallContext, labels: tuple[str, ...] | None) -> bool:
        """Whether it is about whom the call is for, and about text that reached it, if it is known."""
        parts = (
            (self.agent, context.agent),
            (self.tenant, context.tenant),
            (self.subject, context.subject),
        )
        if not all(matches(patterns, name) for patterns, name in parts if patterns):
            return False
        if not self.labels or labels is None:
            return True
        return any(matches(self.labels, label) for label in labels)


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
    """A policy file: totals and tiers by name, and rules of which the first that matches wins."""

    totals: dict[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")], Total] = Field(
        default_factory=dict
    )
    tiers: dict[TierName, TierTerms] = Field(default_factory=dict)
    rules: tuple[Rule, ...]

    def asked_by(self, terms: Terms) -> Ask:
        """Return who is asked on the terms of a rule, one tier after the other."""
        first = self._first(terms)
        found = [Tier(tier=terms.tier or "", **_plain(first))]
        following, seen = first.escalate_to, [terms.tier]
        while following is not None and following not in seen:
            tier = self.tiers[following]
            found.append(Tier(tier=following, **_plain(tier)))
            seen.append(following)
            following = tier.escalate_to
        return Ask(
            **found[0].model_dump(),
            on_timeout=terms.on_timeout,
            escalation=tuple(found[1:]),
        )

    def _first(self, terms: Terms) -> TierTerms:
        tier = self.tiers[terms.tier] if terms.tier else TierTerms()
        given = {name: getattr(terms, name) for name in TierTerms.model_fields}
        return tier.model_copy(update={k: v for k, v in given.items() if v is not None})

    def rounds(self) -> list[tuple[str, str]]:
        """Return each tier whose escalation comes back to itself, and the tier it comes back from."""
        found = []
        for name in self.tiers:
            last, following, seen = name, self.tiers[name].escalate_to, [name]
            while following in self.tiers and following not in seen:
                seen.append(following)
                last, following = following, self.tiers[following].escalate_to
            if following == name:
                found.append((name, last))
        return found

    @property
    def version(self) -> str:
        """First 12 hex digits of the digest of the rules, whatever their formatting."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        for rule in data["rules"]:
            if "when" in rule:
                rule["when"] = canonical_condition(rule["when"])
        return digest({"policy": "rules", **data})[:12]


def _plain(terms: TierTerms) -> dict[str, Any]:
    return terms.model_dump(exclude={"escalate_to"})
