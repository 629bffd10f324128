"""`@tool` makes a tool of a function, and `tool(stock, ...)` of a stock LangChain tool.

Misuse is refused here, when the module is imported, and names the tool. Safe in a workflow.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

from langchain_core.tools import BaseTool, ToolException
from pydantic import ValidationError

from interlock.errors import ConfigError, ToolFailed
from interlock.tools.amounts import is_number
from interlock.tools.contract import STOCK_LABEL, Breaker, Cache, Effect, Risk, ToolContract
from interlock.tools.definition import (
    Function,
    RiskRule,
    Tool,
    check_cacheable,
    check_reconcile,
    taken,
)
from interlock.tools.signature import Signature, misuse, read_function, read_stock_tool
from interlock.tools.throttle import Throttle
from interlock.tools.validation import ResultForm

__all__ = ["Function", "RiskRule", "Tool", "tool"]


@overload
def tool(
    subject: Function | BaseTool,
    /,
    *,
    effect: Effect,
    risk: Risk | RiskRule = ...,
    risk_floor: Risk = ...,
    timeout_seconds: float = ...,
    attempts: int = ...,
    throttle: str | Throttle | None = ...,
    concurrency: int | None = ...,
    dependency: str = ...,
    breaker: Breaker | None = ...,
    while_open: Literal["fail", "wait"] = ...,
    cache: Cache | None = ...,
    labels: str | Sequence[str] | None = ...,
    amount: str = ...,
    undo: str = ...,
    local: bool | None = ...,
    runs: str | None = ...,
    reconcile: Function | str | None = ...,
    name: str | None = ...,
) -> Tool: ...


@overload
def tool(
    *,
    effect: Effect,
    risk: Risk | RiskRule = ...,
    risk_floor: Risk = ...,
    timeout_seconds: float = ...,
    attempts: int = ...,
    throttle: str | Throttle | None = ...,
    concurrency: int | None = ...,
    dependency: str = ...,
    breaker: Breaker | None = ...,
    while_open: Literal["fail", "wait"] = ...,
    cache: Cache | None = ...,
    labels: str | Sequence[str] | None = ...,
    amount: str = ...,
    undo: str = ...,
    local: bool | None = ...,
    runs: str | None = ...,
    reconcile: Function | str | None = ...,
    name: str | None = ...,
) -> Callable[[Function], Tool]: ...


def tool(
    subject: Function | BaseTool | None = None,
    /,
    *,
    effect: Effect,
    risk: Risk | RiskRule = Risk.LOW,
    risk_floor: Risk = Risk.LOW,
    timeout_seconds: float = 30.0,
    attempts: int = 3,
    throttle: str | Throttle | None = None,
    concurrency: int | None = None,
    dependency: str = "",
    breaker: Breaker | None = None,
    while_open: Literal["fail", "wait"] = "fail",
    cache: Cache | None = None,
    labels: str | Sequence[str] | None = None,
    amount: str = "",
    undo: str = "",
    local: bool | None = None,
    runs: str | None = None,
    reconcile: Function | str | None = None,
    name: str | None = None,
) -> Tool | Callable[[Function], Tool]:
    """Make a tool of a function, or of a stock LangChain tool.

    The signature is the tool's schema, the docstring its description. An implementation may also
    take `call`, the `ToolCall`: its `effect_key` is the idempotency key, and its `deadline` the
    time after which the other side must not do it any more. A later attempt believes that from the
    deadline and a grace on, so hand it over, or let `reconcile` void the reference; the clocks of
    both sides have to agree within the grace.

    Args:
        subject: A function, or a LangChain tool whose `ainvoke` is then the implementation; left
            out when used as a decorator.
        effect: What a call does to the world.
        risk: How bad a wrong call would be: a constant, or a pure function of the validated
            arguments it names.
        risk_floor: The least risk, when `risk` is a function.
        timeout_seconds: Longest time of one attempt.
        attempts: Attempts of one logical call when the other side is unavailable.
        throttle: One rate for all workers together: '10/s', '90/min' or '500/h', or a `Throttle`
            with a burst, or with a rate for each tenant or subject.
        concurrency: How many calls may run at once, of all workers together.
        dependency: What it calls, by a name that tools may share: its circuit breaker opens when
            too many calls fail (timeouts, lost connections, answers from 500 on). Default: the
            tool's name when it has a `breaker`, else none.
        breaker: When the breaker opens; default: half of at least 10 calls in 30 s, for 30 s.
        while_open: 'fail' tells the model at once that nothing was called; 'wait' makes the call
            when the breaker lets it.
        cache: How long answers are kept for all processes of a machine, by tenant and arguments.
            PURE and READ only, and not for an implementation that takes `call`.
        labels: What text its results bring that others wrote: 'web', 'mail'. A policy can be strict
            with arguments that have such text. Default: none for a function, as most read what is
            the deployment's own (a field that customers fill in is not); 'stock' for a stock tool
            that is not PURE, one of an MCP server, say.
        amount: The argument that says how much a call is about, as a path such as 'payment.amount':
            reviewers see it in their list and filter by it.
        undo: How a person takes the effect back, in a sentence that reviewers read.
        local: Run as a local activity. Default: only PURE tools without throttle and concurrency.
        runs: 'module:attribute' of the implementation, loaded in the worker only; the decorated
            function then has nothing but a docstring.
        reconcile: A function, or 'module:attribute' of one, that takes `key` (the effect key) or
            `call`, and returns the result of a call whose answer was lost, or None when it did not
            happen. It is asked at once, and again after the call's deadline and a grace: only then
            None is believed and the call made again. It raises when it cannot tell.
        name: Name of the tool; default: the function's.

    Raises:
        ConfigError: the tool cannot work as declared.
    """
    terms = _Terms(
        effect=effect,
        risk=risk,
        risk_floor=risk_floor,
        timeout_seconds=timeout_seconds,
        attempts=attempts,
        throttle=throttle,
        concurrency=concurrency,
        dependency=dependency,
        breaker=breaker,
        while_open=while_open,
        cache=cache,
        labels=labels,
        amount=amount,
        undo=undo,
        local=local,
        runs=runs,
        reconcile=reconcile,
        name=name,
    )
    return terms.make if subject is None else terms.make(subject)


@dataclass(frozen=True)
class _Terms:
    """The arguments of `tool`."""

    effect: Effect
    risk: Risk | RiskRule
    risk_floor: Risk
    timeout_seconds: float
    attempts: int
    throttle: str | Throttle | None
    concurrency: int | None
    dependency: str
    breaker: Breaker | None
    while_open: Literal["fail", "wait"]
    cache: Cache | None
    labels: str | Sequence[str] | None
    amount: str
    undo: str
    local: bool | None
    runs: str | None
    reconcile: Function | str | None
    name: str | None

    def make(self, subject: Function | BaseTool) -> Tool:
        if isinstance(subject, BaseTool):
            return self._adopt(subject, self.name or subject.name)
        name = self.name or str(getattr(subject, "__name__", subject))
        return self._tool(name, read_function(subject, name), self.runs or subject)

    def _adopt(self, stock: BaseTool, name: str) -> Tool:
        if self.runs is not None:
            raise misuse(name, "a stock tool is its own implementation; leave out `runs`.")
        terms = self
        if self.labels is None and self.effect is not Effect.PURE:
            terms = replace(self, labels=STOCK_LABEL)
        return terms._tool(name, read_stock_tool(stock, name), _adopted(stock, self.effect))

    def _tool(self, name: str, signature: Signature, implementation: Function | str) -> Tool:
        result = ResultForm(name, signature.result)
        contract = self._contract(name, signature, result)
        _check_contract(contract, result)
        if not isinstance(implementation, str):
            check_cacheable(implementation, contract)
        if self.reconcile is not None and not isinstance(self.reconcile, str):
            check_reconcile(self.reconcile, name)
        return Tool(
            contract,
            signature,
            result,
            implementation=implementation,
            reconcile=self.reconcile,
            rule=None if isinstance(self.risk, Risk) else _check_rule(self.risk, name, signature),
        )

    def _contract(self, name: str, signature: Signature, result: ResultForm) -> ToolContract:
        local = self.local
        if local is None:
            unlimited = self.throttle is None and self.concurrency is None
            local = self.effect is Effect.PURE and unlimited
        try:
            return ToolContract(
                name=name,
                description=signature.description,
                effect=self.effect,
                risk=self.risk if isinstance(self.risk, Risk) else self.risk_floor,
                parameters=signature.arguments_model.model_json_schema(),
                result=result.schema,
                timeout_seconds=self.timeout_seconds,
                attempts=self.attempts,
                throttle=_throttle(self.throttle, name),
                concurrency=self.concurrency,
                dependency=self.dependency or (name if self.breaker else ""),
                breaker=self.breaker,
                while_open=self.while_open,
                cache=self.cache,
                reconciles=self.reconcile is not None,
                local=local,
                labels=tuple([self.labels] if isinstance(self.labels, str) else self.labels or ()),
                amount=self.amount,
                undo=self.undo,
            )
        except ValidationError as error:
            wrong = " ".join(
                f"{'.'.join(map(str, item['loc']))!r}: {item['msg']}." for item in error.errors()
            )
            raise misuse(name, wrong) from error


def _check_contract(contract: ToolContract, result: ResultForm) -> None:
    name, effect = contract.name, contract.effect
    if contract.local and effect.changes_world:
        raise misuse(name, f"local=True is for PURE and READ; {effect} is claimed in the ledger.")
    if contract.local and (contract.throttle or contract.concurrency) is not None:
        raise misuse(name, "local=True passes by throttle and concurrency. Choose one.")
    if contract.while_open == "wait" and (contract.local or not contract.dependency):
        raise misuse(name, "while_open='wait' needs a `dependency`, and an activity to wait in.")
    if contract.cache is not None and effect.changes_world:
        raise misuse(name, f"cache is for PURE and READ; {effect} has to be made and not answered.")
    if contract.amount and not is_number(contract.parameters, contract.amount):
        raise misuse(name, f"amount={contract.amount!r} is no argument that is a number.")
    if contract.undo and not effect.changes_world:
        raise misuse(name, f"{effect} changes nothing, so there is nothing to undo.")
    if contract.reconciles and not effect.changes_world:
        raise misuse(name, f"{effect} changes nothing, so there is nothing to reconcile.")
    if contract.reconciles and result.is_none:
        raise misuse(
            name, "reconcile answers None for 'did not happen', so the result must not be None."
        )


def _throttle(throttle: str | Throttle | None, name: str) -> Throttle | None:
    if throttle is None or isinstance(throttle, Throttle):
        return throttle
    try:
        return Throttle(rate=throttle)
    except ConfigError as error:
        raise misuse(name, error.message) from error


def _check_rule(rule: RiskRule, name: str, signature: Signature) -> RiskRule:
    fields = dict.fromkeys(signature.arguments_model.model_fields)
    try:
        inspect.signature(rule).bind(**taken(rule, fields))
    except TypeError as error:
        raise misuse(
            name, f"its risk rule does not fit the arguments {', '.join(fields)}: {error}."
        ) from error
    return rule


def _adopted(stock: BaseTool, effect: Effect) -> Function:
    async def adopted(**arguments: Any) -> Any:
        try:
            return await stock.ainvoke(arguments)
        except ToolException as error:
            if effect.changes_world:
                raise  # it says that the call failed, not that nothing happened
            raise ToolFailed(str(error)) from error

    return adopted
