"""Conditions in CEL: compiled against the arguments of one tool, evaluated on one call.

The library checks names and types when it compiles: each argument is a variable of its own, such as
`args.amount`, with the type that the tool's schema gives it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import cel_expr_python.cel as cel

from interlock.approvals.argument_types import field_types, field_values
from interlock.approvals.documents import allowed
from interlock.approvals.policy import Facts
from interlock.tools.contract import Risk, Span, ToolContract

_NAMES = "list(string)"
_LABELS_OF = "labels."
_CONTEXT = ("agent", "tenant", "subject", "node")
_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']+)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']+)' applied to '\(([^']*)\)'")
_HAS = re.compile(r"\bhas\s*\(\s*(?:args|context|totals|labels)\b")
_TOTAL = re.compile(r"\btotals\s*\.\s*(\w+)")
_LABELS = re.compile(r"(?<![\w.])labels\b(?:\s*\.\s*\w+(?!\w|\s*\())*")
_NO_FIELD = "cannot be the operand of a select operation"


class ConditionMistake(Exception):
    """A condition that does not fit a tool: what is wrong, and where in its text."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        """Keep the message and the place, counted from 1."""
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


class ConditionFailed(Exception):
    """A condition that has no answer for a call: a value that it reads is absent, for example."""


class Condition:
    """One condition, compiled for one tool."""

    def __init__(
        self, expression: cel.Expression, totals: frozenset[str], *, reads_labels: bool
    ) -> None:
        self._expression = expression
        self.totals = totals
        """Names of the totals that it reads."""
        self.reads_labels = reads_labels
        """Whether it reads labels, or seems to."""

    def holds(self, values: dict[str, Any]) -> bool:
        """Whether it is true of the values that `Fields.values` gave.

        Raises:
            ConditionFailed: it has no answer.
        """
        try:
            answer = self._expression.eval(data=values)
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise ConditionFailed(str(error)) from error
        if answer.type() != cel.Type.BOOL:
            raise ConditionFailed(str(answer.value()))
        return bool(answer.value())


class Fields:
    """What a condition on one tool may read.

    Args:
        contract: The tool.
        totals: Running totals by name, with their types: int or double.
    """

    def __init__(self, contract: ToolContract, totals: Mapping[str, str]) -> None:
        self._tool = contract.name
        self._arguments = field_types(contract.parameters)
        self._totals = frozenset(totals)
        self.types: dict[str, str] = {
            **self._arguments,
            **{f"context.{name}": "string" for name in _CONTEXT},
            "risk": "string",
            "labels": _NAMES,
            **{_labels_of(path): _NAMES for path in self._arguments},
            **{f"totals.{name}": kind for name, kind in totals.items()},
        }
        variables = {name: _cel_type(kind) for name, kind in self.types.items()}
        self._environment = cel.NewEnv(config=_comparisons(), variables=variables)

    def compile(self, text: str) -> Condition:
        """Return a condition that fits the tool.

        Raises:
            ConditionMistake: it does not.
        """
        if _HAS.search(text):
            raise ConditionMistake(
                "`has` is not needed: arguments are complete when they are judged. Compare with "
                "null instead."
            )
        try:
            found = self._environment.compile(text)
        except RuntimeError as error:
            raise self._mistake(str(error), text) from error
        if found.return_type() != cel.Type.BOOL:
            kind = found.return_type().name().lower()
            raise ConditionMistake(
                f"it gives a {kind}, and has to be true or false. Compare it with something."
            )
        totals = self._totals & set(_TOTAL.findall(text))
        return Condition(found, totals, reads_labels=bool(_LABELS.search(text)))

    def values(self, arguments: dict[str, Any], risk: Risk, facts: Facts | None) -> dict[str, Any]:
        """Return what a condition reads of one call. What is not known has no value."""
        found = field_values(self._arguments, arguments)
        found["risk"] = str(risk)
        if facts is not None:
            found |= {f"context.{name}": getattr(facts.context, name) for name in _CONTEXT}
            for name in self._totals & set(facts.totals):
                number = int if self.types[f"totals.{name}"] == "int" else float
                found[f"totals.{name}"] = number(facts.totals[name])
            found |= self._labels(facts)
        return found

    def _labels(self, facts: Facts) -> dict[str, list[str]]:
        """Return the labels of all arguments and of each; nothing when nobody knows them."""
        if facts.spans is None:
            return {}
        found: dict[str, list[str]] = {"labels": list(facts.labels or ())}
        for path in self._arguments:
            here = [span.label for span in facts.spans if _is_at(span, path)]
            found[_labels_of(path)] = sorted(set(here))
        return found

    def _mistake(self, error: str, text: str) -> ConditionMistake:
        found = _ERROR.search(error)
        if found is None:
            return ConditionMistake(f"it is no CEL expression: {error}")
        line, column, message = int(found[1]), int(found[2]), found[3]
        unknown, overload = _UNDECLARED.search(message), _OVERLOAD.search(message)
        if unknown:
            name = unknown[1]
            column = text.splitlines()[line - 1].find(name) + 1 or column
            return ConditionMistake(self._unknown(name), line, column)
        if overload:
            message = self._unfit(overload[1].strip("_@"), overload[2], text)
        elif _NO_FIELD in message:
            message = self._without_field(text) or message
        return ConditionMistake(message.removesuffix(".") + ".", line, column)

    def _unknown(self, name: str) -> str:
        # What a condition may read, and what it may read of labels, are two long lists.
        of_labels = name.startswith(_LABELS_OF)
        known = [each for each in self.types if each.startswith(_LABELS_OF) == of_labels]
        return f"{name!r} is not known for tool {self._tool!r}. {allowed(name, known)}"

    def _without_field(self, text: str) -> str:
        """Return what is wrong with labels of an argument that there is not, or ''."""
        named = ("".join(found.split()) for found in _LABELS.findall(text))
        wrong = next((name for name in named if name not in self.types), "")
        return self._unknown(wrong) if wrong else ""

    def _unfit(self, operator: str, kinds: str, text: str) -> str:
        used = ", ".join(
            f"{name} is {kind}"
            for name, kind in self.types.items()
            if re.search(rf"(?<![\w.]){re.escape(name)}\b", text)
        )
        hint = ""
        if {"int", "double"} <= set(kinds.split(", ")):
            hint = " Write a whole number beside a decimal one with a point, for example 100.0."
        return f"{operator!r} does not take ({kinds}); {used or 'only constants'}.{hint}"


def _labels_of(path: str) -> str:
    """Return the name of an argument's labels: 'labels.amount' for 'args.amount'."""
    return f"{_LABELS_OF}{path.removeprefix('args.')}"


def _is_at(span: Span, path: str) -> bool:
    """Whether text from outside reached an argument, or a value within; without a path, any."""
    rest = span.argument.removeprefix(path.removeprefix("args."))
    return not span.argument or (rest != span.argument and (not rest or rest[0] in ".["))


def _cel_type(kind: str) -> cel.Type:
    if kind.startswith("list("):
        return cel.Type.List(_cel_type(kind[5:-1]))
    if kind.startswith("map("):
        return cel.Type.Map(cel.Type.STRING, _cel_type(kind[12:-1]))
    return cel.Type(kind)


@functools.cache
def _comparisons() -> cel.EnvConfig:
    """Return CEL with comparisons of whole and decimal numbers, as the specification has them.

    The evaluator knows them; the checker does not unless it is told.
    """
    same = ("bool", "int", "uint", "double", "string", "timestamp", "duration")
    pairs = [*((kind, kind) for kind in same), ("int", "double"), ("double", "int")]
    lines = ["stdlib:", "  exclude_functions:"]
    lines += [f'    - name: "{operator}"' for operator in _OPERATORS]
    lines += ["functions:"]
    for operator, name in _OPERATORS.items():
        lines += [f'  - name: "{operator}"', "    overloads:"]
        for left, right in pairs:
            ends = "_".join(dict.fromkeys((_WIDE.get(left, left), _WIDE.get(right, right))))
            lines += [
                f'      - id: "{name}_{ends}"',
                f"        args: [{{type_name: {left}}}, {{type_name: {right}}}]",
                "        return: {type_name: bool}",
            ]
    return cel.NewEnvConfigFromYaml("\n".join(lines))


_OPERATORS = {"_<_": "less", "_<=_": "less_equals", "_>_": "greater", "_>=_": "greater_equals"}
_WIDE = {"int": "int64", "uint": "uint64"}
