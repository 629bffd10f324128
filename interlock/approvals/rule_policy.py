"""A policy from a file of rules: checked against the deployment's tools when it is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from yaml import ScalarNode

from interlock.approvals.argument_types import field_types
from interlock.approvals.conditions import (
    Condition,
    ConditionFailed,
    ConditionMistake,
    Fields,
)
from interlock.approvals.documents import Document, Mistake, Place, allowed
from interlock.approvals.labels import known_labels
from interlock.approvals.policy import Facts
from interlock.approvals.rules import PolicyRules, Rule, Total
from interlock.tools.contract import Ask, MatchedRule, Risk, ToolContract, Verdict
from interlock.tools.values import matches

Conditions = Mapping[tuple[str, str], Condition]
"""Conditions by rule and tool."""

_NUMBERS = ("int", "double")


class RulePolicy:
    """`Policy` of a file of rules. The first rule that matches wins; when none does, it asks.

    A rule whose condition has no answer for a call ends the search, and a person is asked.
    """

    def __init__(
        self,
        rules: PolicyRules,
        fields: Mapping[str, Fields],
        conditions: Conditions,
        *,
        name: str,
        lines: Mapping[str, int],
    ) -> None:
        """Take what `load_rules` made and checked."""
        self.rules = rules
        self.name = name
        """Of the file."""
        self.lines = lines
        """Where each rule begins, by its name."""
        self._fields = fields
        self._conditions = conditions
        self._version = rules.version

    @property
    def version(self) -> str:
        """First 12 hex digits of the digest of the rules, whatever their formatting."""
        return self._version

    def totals(self, contract: ToolContract) -> dict[str, Total]:
        """Return the totals that conditions on a tool read, by name."""
        read = {
            name
            for rule in self.rules.rules
            if (found := self._conditions.get((rule.name, contract.name)))
            for name in found.totals
        }
        return {name: self.rules.totals[name] for name in sorted(read)}

    def reads_labels(self, contract: ToolContract) -> bool:
        """Whether a rule on a tool is about labels, or its condition reads them."""
        for rule in self.rules.rules:
            condition = self._conditions.get((rule.name, contract.name))
            if rule.labels and rule.may_match(contract):
                return True
            if condition is not None and condition.reads_labels:
                return True
        return False

    def judge(
        self,
        contract: ToolContract,
        arguments: dict[str, Any],
        risk: Risk,
        facts: Facts | None = None,
    ) -> Verdict:
        """Return the verdict; its reason names the rule that matched and its line."""
        fields = self._fields.get(contract.name)
        if fields is None:
            why = f"{self.name} was not checked against {contract.name!r}: restart the worker."
            return self._verdict("ask", why, risk, facts)
        values = fields.values(arguments, risk, facts)
        for rule in self.rules.rules:
            if not rule.may_match(contract) or (rule.risk and risk not in rule.risk):
                continue
            if facts is None and rule.asks_who:
                why = f"{self._at(rule)} depends on whom the call is for, or on what reached it."
                return self._verdict("ask", why, risk, facts, rule)
            if facts is not None and not rule.fits(facts.context, facts.labels):
                continue
            try:
                if not self._holds(rule, contract, values):
                    continue
            except ConditionFailed as error:
                why = f"{self._at(rule)}: {rule.when!r} has no answer for this call: {error}"
                return self._verdict("ask", why, risk, facts, rule)
            return self._matched(rule, contract, risk, facts)
        why = f"{contract.name}: no rule of {self.name} matches, so a person is asked."
        return self._verdict("ask", why, risk, facts)

    def _holds(self, rule: Rule, contract: ToolContract, values: dict[str, Any]) -> bool:
        condition = self._conditions.get((rule.name, contract.name))
        return condition is None or condition.holds(values)

    def _matched(
        self, rule: Rule, contract: ToolContract, risk: Risk, facts: Facts | None
    ) -> Verdict:
        if rule.labels and (facts is None or facts.labels is None):
            why = (
                f"{self._at(rule)} is about labels, and nobody knows those of this call: its run was "
                "opened under a policy without any, or is none."
            )
            return self._verdict("ask", why, risk, facts, rule)
        what = f"{contract.name} is {contract.effect} and of {risk} risk"
        when = f" ({' '.join(rule.when.split())})" if rule.when else ""
        reached = _reached(rule, facts)
        why = f"{what}; {self._at(rule)}{when}{reached}: {rule.then.outcome}."
        if rule.then.deny:
            why = f"{rule.then.deny} [{self._at(rule)}{reached}]"
        ask = self.rules.asked_by(rule.then.ask) if rule.then.ask is not None else None
        return self._verdict(rule.then.outcome, why, risk, facts, rule, ask)

    def _verdict(
        self,
        outcome: Any,
        why: str,
        risk: Risk,
        facts: Facts | None,
        rule: Rule | None = None,
        ask: Ask | None = None,
    ) -> Verdict:
        return Verdict(
            outcome=outcome,
            reason=why,
            risk=risk,
            policy=self._version,
            rule=MatchedRule(name=rule.name, line=self.lines[rule.name]) if rule else None,
            ask=ask if ask != Ask() else None,
            totals=facts.totals if facts else {},
        )

    def _at(self, rule: Rule) -> str:
        return f"rule {rule.name!r} in {self.name}:{self.lines[rule.name]}"


def _reached(rule: Rule, facts: Facts | None) -> str:
    """Say which text from outside a rule found, and in which arguments."""
    if not rule.labels or facts is None:
        return ""
    spans = [span for span in facts.spans or () if matches(rule.labels, span.label)]
    where = ", ".join(dict.fromkeys(span.argument for span in spans if span.argument))
    labels = ", ".join(sorted({span.label for span in spans}))
    return f", {labels} in {where}" if where else f", {labels}"


def load_rules(path: Path, contracts: Iterable[ToolContract]) -> RulePolicy:
    """Return the policy of a file.

    Args:
        path: The file.
        contracts: The tools of the deployment, against which rules are checked.

    Raises:
        ConfigError: it cannot be read, or has mistakes: all of them are named, each with its line
            and column, what is allowed and what to do.
    """
    document = Document.read(path)
    rules = document.read_as(PolicyRules)
    tools = {contract.name: contract for contract in contracts}
    totals = {name: _total_type(total, tools.values()) for name, total in rules.totals.items()}
    fields = {name: Fields(contract, totals) for name, contract in tools.items()}
    found = _Checked(document, rules, tools, fields)
    document.refuse(found.mistakes())
    lines = {rule.name: document.place(("rules", i)).line for i, rule in enumerate(rules.rules)}
    return RulePolicy(rules, fields, found.conditions, name=path.name, lines=lines)


def _total_type(total: Total, contracts: Iterable[ToolContract]) -> str:
    """Return the type of a total: that of what it adds up."""
    if total.sum is None:
        return "int"
    added = [contract for contract in contracts if matches(total.tool, contract.name)]
    kinds = {field_types(contract.parameters).get(total.sum) for contract in added}
    return "int" if kinds == {"int"} else "double"


class _Checked:
    """The mistakes of rules that only the deployment's tools can tell, and the conditions."""

    def __init__(
        self,
        document: Document,
        rules: PolicyRules,
        tools: Mapping[str, ToolContract],
        fields: Mapping[str, Fields],
    ) -> None:
        self._document = document
        self._rules = rules
        self._tools = tools
        self._fields = fields
        self.conditions: dict[tuple[str, str], Condition] = {}

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong, and compile what is right."""
        names: dict[str, int] = {}
        for index, rule in enumerate(self._rules.rules):
            line = self._document.place(("rules", index)).line
            first = names.setdefault(rule.name, line)
            if first != line:
                place = self._document.place(("rules", index, "name"))
                text = f"a rule is named {rule.name!r} already, in line {first}. Rename one."
                yield Mistake(place, text)
            yield from self._labels(index, rule)
            yield from self._unmatched(("rules", index), rule.name, rule.tool)
            yield from self._conditions(index, rule)
        yield from self._tiers()
        for name, total in self._rules.totals.items():
            yield from self._unmatched(("totals", name), name, total.tool)
            yield from self._uncountable(name, total)

    def _labels(self, index: int, rule: Rule) -> Iterator[Mistake]:
        known = known_labels(self._tools.values())
        for pattern in rule.labels:
            if not any(matches([pattern], label) for label in known):
                text = (
                    f"rule {rule.name!r}: no label matches {pattern!r}. {allowed(pattern, known)}"
                )
                yield Mistake(self._document.place(("rules", index, "labels")), text)

    def _tiers(self) -> Iterator[Mistake]:
        """Yield names of tiers that there are not, and tiers that escalate in a circle."""
        tiers = self._rules.tiers
        named: list[tuple[tuple[int | str, ...], str | None]]
        named = [(("tiers", name, "escalate_to"), tier.escalate_to) for name, tier in tiers.items()]
        for index, rule in enumerate(self._rules.rules):
            terms, loc = rule.then.ask, ("rules", index, "then", "ask")
            if terms is not None:
                named += [((*loc, "tier"), terms.tier), ((*loc, "escalate_to"), terms.escalate_to)]
        for where, name in named:
            if name is not None and name not in tiers:
                text = f"no tier is named {name!r}. {allowed(name, tiers)} Define it under 'tiers'."
                yield Mistake(self._document.place(where), text)
        for name, last in self._rules.rounds():
            text = f"tier {name!r} escalates to itself, through {last!r}. End it somewhere."
            yield Mistake(self._document.place(("tiers", name, "escalate_to")), text)

    def _unmatched(
        self, loc: tuple[int | str, ...], name: str, tool: Iterable[str]
    ) -> Iterator[Mistake]:
        for pattern in tool:
            if not any(matches([pattern], known) for known in self._tools):
                text = f"{name!r}: no tool matches {pattern!r}. {allowed(pattern, self._tools)}"
                yield Mistake(self._document.place((*loc, "tool")), text)

    def _conditions(self, index: int, rule: Rule) -> Iterator[Mistake]:
        told: set[str] = set()
        for name, contract in self._tools.items():
            if not rule.when or not rule.may_match(contract):
                continue
            try:
                self.conditions[rule.name, name] = self._fields[name].compile(rule.when)
            except ConditionMistake as error:
                if error.message not in told:
                    place = self._inside(("rules", index, "when"), error)
                    yield Mistake(place, f"rule {rule.name!r}: {error.message}")
                told.add(error.message)

    def _inside(self, loc: tuple[int | str, ...], error: ConditionMistake) -> Place:
        """Return the place in the file of a place in a text that the file holds."""
        node, start = self._document.nodes[loc], self._document.place(loc)
        style = node.style if isinstance(node, ScalarNode) else None
        if style == "|":
            block = self._document.lines[start.line :]
            first = next(text for text in block if text.strip())
            indent = len(first) - len(first.lstrip())
            return Place(start.line + error.line, indent + error.column)
        if node.start_mark.line != node.end_mark.line:  # folded: YAML joins its lines
            return start
        return Place(start.line, start.column + error.column - 1 + (style in ("'", '"')))

    def _uncountable(self, name: str, total: Total) -> Iterator[Mistake]:
        for tool in (self._tools[found] for found in self._tools if matches(total.tool, found)):
            place = self._document.place(("totals", name, "sum"))
            if not tool.effect.changes_world:
                text = f"{name!r}: {tool.name!r} is {tool.effect}; only effects are added up."
                yield Mistake(self._document.place(("totals", name, "tool")), text)
            elif total.sum is not None:
                types = field_types(tool.parameters)
                numbers = [path for path, kind in types.items() if kind in _NUMBERS]
                if total.sum not in numbers:
                    text = (
                        f"{name!r}: {total.sum!r} is no number of tool {tool.name!r}. "
                        f"{allowed(total.sum, numbers)}"
                    )
                    yield Mistake(place, text)
