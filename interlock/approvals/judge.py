"""Asks a policy about a call, with what it needs to know: risk, context and running totals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from interlock.approvals.argument_types import number_at
from interlock.approvals.labels import shown
from interlock.approvals.policy import Facts, Policy, TotalsPolicy
from interlock.approvals.rules import Total
from interlock.audit.contract import EffectFilter, Effects
from interlock.context import CallContext
from interlock.errors import ConfigError, said
from interlock.tools.contract import Risk, Span, ToolContract, Verdict
from interlock.tools.definition import Tool
from interlock.tools.values import matches


class Judge:
    """One policy and the effects that its running totals are about.

    Args:
        policy: What judges.
        effects: Where the effects of tools are; without it no total is known.
        clock: The time now, with its zone.
    """

    def __init__(
        self, policy: Policy, effects: Effects | None, *, clock: Callable[[], datetime]
    ) -> None:
        self._policy = policy
        self._effects = effects
        self._clock = clock

    async def verdict(
        self,
        tool: Tool,
        arguments: dict[str, Any],
        context: CallContext,
        spans: tuple[Span, ...] | None = None,
    ) -> Verdict:
        """Return the verdict on calling a tool with canonical arguments.

        Args:
            tool: The tool.
            arguments: Its arguments.
            context: Whom the call is for.
            spans: Where text from outside reached the arguments; None: nobody knows.

        Raises:
            ConfigError: the tool's risk rule failed, or the policy did.
        """
        risk = tool.risk_of(arguments)
        facts = Facts(context=context, totals=await self._totals(tool, context), spans=spans)
        return asked(self._policy, tool.contract, arguments, risk, facts)

    async def _totals(self, tool: Tool, context: CallContext) -> dict[str, Decimal]:
        if self._effects is None or not isinstance(self._policy, TotalsPolicy):
            return {}
        found = {}
        for name, total in self._policy.totals(tool.contract).items():
            known = await self._total(total, context, self._effects)
            if known is not None:
                found[name] = known
        return found

    async def _total(self, total: Total, context: CallContext, effects: Effects) -> Decimal | None:
        """Return a total, or None when an effect does not say its number."""
        where = EffectFilter(
            tenant=context.tenant,
            subject=context.subject if total.per == "subject" else None,
            since=self._clock() - total.window,
        )
        counted = [
            arguments for name, arguments in await effects.made(where) if matches(total.tool, name)
        ]
        if not total.path:
            return Decimal(len(counted))
        try:
            return sum((number_at(arguments, total.path) for arguments in counted), Decimal(0))
        except ValueError:
            return None


def asked(
    policy: Policy,
    contract: ToolContract,
    arguments: dict[str, Any],
    risk: Risk,
    facts: Facts,
) -> Verdict:
    """Return the verdict of a policy, if it is one that a policy may give, with what it has seen.

    Raises:
        ConfigError: the policy failed, or its verdict is none of its own.
    """
    name = type(policy).__name__
    try:
        verdict = policy.judge(contract, arguments, risk, facts)
    except Exception as error:
        raise ConfigError(
            f"policy {name!r} failed on {contract.name!r}: {said(error)}. "
            "Mend it, and restart the worker."
        ) from error
    _check(policy, name, verdict)
    if not facts.spans:
        return verdict
    return verdict.model_copy(update={"labels": facts.labels, "spans": shown(facts.spans)})


def _check(policy: Policy, name: str, verdict: Verdict) -> None:
    if not isinstance(verdict, Verdict):
        raise ConfigError(
            f"policy {name!r} gave a {type(verdict).__name__}. Return an "
            "`interlock.approvals.Verdict`."
        )
    if verdict.policy != policy.version:
        raise ConfigError(
            f"policy {name!r} of version {policy.version!r} gave a verdict of {verdict.policy!r}. "
            "Give its own version."
        )
