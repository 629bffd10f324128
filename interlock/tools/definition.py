"""A tool as graph code sees it: a LangChain `BaseTool` with a contract. Safe in a workflow.

A call goes to the port of the run in `TOOL_PORT`. The implementation is reached by the gateway
only, in an activity.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from typing import Any, Literal

from langchain_core.messages import ToolCall as MessageToolCall
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import BaseModel, PrivateAttr

from interlock.errors import (
    ActionDenied,
    ApprovalExpired,
    ApprovalRejected,
    BadInput,
    CircuitOpen,
    EffectAborted,
    ModelMistake,
    NoPort,
    ToolFailed,
    UnsupportedInWorkflow,
    said,
)
from interlock.registry import load
from interlock.tools.contract import TOOL_PORT, NotedResult, Risk, ToolContract
from interlock.tools.signature import CALL_PARAMETER, Signature, misuse
from interlock.tools.validation import ResultForm, canonical_arguments, parse_arguments

Function = Callable[..., Any]
"""A sync or async function."""
RiskRule = Callable[..., Risk]
"""A pure function of the validated arguments, by keyword."""

Input = str | dict[str, Any] | MessageToolCall
"""What LangChain calls a tool with: plain arguments, or a tool call of a message."""

_RECONCILE_PARAMETERS = ("key", "call")
_TOLD = (
    ModelMistake,
    ToolFailed,
    CircuitOpen,
    EffectAborted,
    ApprovalRejected,
    ApprovalExpired,
    ActionDenied,
)
"""Errors that the model can act on: it gets them as the tool's answer."""


class Tool(BaseTool):
    """A tool with a contract. Make one with `tool`."""

    contract: ToolContract
    """What a workflow, a policy and a reviewer know of the tool."""
    _signature: Signature = PrivateAttr()
    _result: ResultForm = PrivateAttr()
    _rule: RiskRule | None = PrivateAttr()
    _implementation: Function | str = PrivateAttr()
    _reconcile: Function | str | None = PrivateAttr()

    def __init__(
        self,
        contract: ToolContract,
        signature: Signature,
        result: ResultForm,
        *,
        implementation: Function | str,
        reconcile: Function | str | None = None,
        rule: RiskRule | None = None,
    ) -> None:
        super().__init__(
            name=contract.name,
            description=contract.description,
            args_schema=signature.arguments_model,
            contract=contract,
        )
        self._signature = signature
        self._result = result
        self._rule = rule
        self._implementation = implementation
        self._reconcile = reconcile

    @property
    def arguments_model(self) -> type[BaseModel]:
        """The pydantic model of the arguments."""
        return self._signature.arguments_model

    @property
    def tool_call_schema(self) -> type[BaseModel]:
        """The model that a chat model is shown: all of the arguments, none is injected."""
        return self.arguments_model

    @property
    def has_fixed_risk(self) -> bool:
        """Whether the risk of a call does not depend on its arguments."""
        return self._rule is None

    def validate_arguments(self, arguments: Any) -> dict[str, Any]:
        """Return the arguments as canonical JSON data, defaults filled in.

        Raises:
            BadArguments: they do not fit; the message tells a model what is allowed.
            NotSerializable: a value changes when it is written and read again.
        """
        return canonical_arguments(self.arguments_model, self.name, arguments)

    def typed_arguments(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return canonical arguments as the Python values the implementation takes.

        Raises:
            BadArguments: they do not fit.
        """
        parsed = parse_arguments(self.arguments_model, self.name, arguments)
        return {name: getattr(parsed, name) for name in type(parsed).model_fields}

    def validate_result(self, value: Any) -> Any:
        """Check a value that the implementation returned and return it as JSON data.

        Raises:
            BadResult: it does not fit the return annotation.
        """
        return self._result.write(value)

    def typed_result(self, data: Any) -> Any:
        """Return a result in JSON form as the annotated Python type.

        Raises:
            BadResult: it does not fit the return annotation.
        """
        return self._result.read(data)

    def risk_of(self, arguments: dict[str, Any]) -> Risk:
        """Return the risk of a call with these arguments, never under the contract's.

        Raises:
            ConfigError: the tool's risk rule raised, or returned something else than a risk.
        """
        floor = self.contract.risk
        if self._rule is None:
            return floor
        typed = self.typed_arguments(arguments)
        try:
            found = Risk(self._rule(**taken(self._rule, typed)))
        except Exception as error:
            raise misuse(self.name, f"its risk rule failed: {said(error)}") from error
        return max(floor, found, key=list(Risk).index)

    def implementation(self) -> Function:
        """Return the function that does the work; only a worker asks for it.

        Raises:
            ConfigError: `runs` names nothing that takes the tool's arguments.
        """
        if isinstance(self._implementation, str):
            self._implementation = self._loaded(self._implementation)
        return self._implementation

    def reconciler(self) -> Function | None:
        """Return the function that knows what happened to a lost call, if the tool has one.

        Raises:
            ConfigError: `reconcile` names nothing that takes `key` or `call`.
        """
        if isinstance(self._reconcile, str):
            self._reconcile = check_reconcile(load(self._reconcile), self.name)
        return self._reconcile

    async def ainvoke(
        self,
        input: Input,  # noqa: A002  LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Make one logical call through the port of the run.

        A LangChain tool call is answered with a `ToolMessage`; what the model can act on is one
        too, with status 'error'. Plain arguments are answered with the typed result.

        Raises:
            NoPort: no run and no application is open.
            InterlockError: the call ended without a result.
        """
        if isinstance(input, dict) and input.get("type") == "tool_call":
            return await self._answer(input.get("id"), input.get("args", {}))
        return self.typed_result(await self._call(input, None))

    def invoke(
        self,
        input: Input,  # noqa: A002  LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Do as `ainvoke`, outside an event loop.

        Raises:
            UnsupportedInWorkflow: an event loop runs, as it does in a workflow.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.ainvoke(input))
        raise UnsupportedInWorkflow(
            f"{self.name!r} was called with `invoke` while an event loop runs. Use "
            "`await tool.ainvoke(...)`, in an async node."
        )

    async def arun(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Do as `ainvoke`, in LangChain's other spelling."""
        return await self.ainvoke(_as_input(self.name, tool_input, kwargs.get("tool_call_id")))

    def run(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Do as `invoke`, in LangChain's other spelling."""
        return self.invoke(_as_input(self.name, tool_input, kwargs.get("tool_call_id")))

    def _run(self, **arguments: Any) -> Any:
        return self.invoke(arguments)

    async def _answer(self, call_id: Any, arguments: Any) -> ToolMessage:
        if not call_id:
            raise BadInput(
                f"a tool call of {self.name!r} has no id. Give each tool call of a message its own."
            )
        try:
            result = await self._call(arguments, call_id)
        except _TOLD as error:
            return self._message(call_id, error.message, "error")
        note = ""
        if isinstance(result, NotedResult):
            result, note = result.result, f"{result.note}\n\n"
        text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
        return self._message(call_id, note + text, "success")

    def _message(
        self, call_id: str, content: str, status: Literal["success", "error"]
    ) -> ToolMessage:
        return ToolMessage(
            content=content,
            name=self.name,
            tool_call_id=call_id,
            status=status,
            # LangGraph would draw a random id, and a replay another one.
            id=f"{call_id}:result",
        )

    async def _call(self, arguments: Any, tool_call_id: str | None) -> Any:
        port = TOOL_PORT.get(None)
        if port is None:
            raise NoPort(
                f"{self.name!r} was called outside a run. Run the graph with `interlock run`, or "
                "open the application around it."
            )
        return await port.call_tool(self.contract, arguments, tool_call_id)

    def _loaded(self, reference: str) -> Function:
        found = load(reference)
        if not callable(found) or isinstance(found, BaseTool):
            raise misuse(self.name, f"runs={reference!r} names no function.")
        given = dict.fromkeys(self.arguments_model.model_fields)
        if CALL_PARAMETER in inspect.signature(found).parameters:
            given[CALL_PARAMETER] = None
        try:
            inspect.signature(found).bind(**given)
        except TypeError as error:
            raise misuse(
                self.name, f"runs={reference!r} does not take the arguments of the tool: {error}."
            ) from error
        return check_cacheable(found, self.contract)


def check_cacheable(function: Function, contract: ToolContract) -> Function:
    """Return `function` if its answers may be kept, or are not.

    Raises:
        ConfigError: it takes the call, so that equal arguments may have different answers.
    """
    if contract.cache is not None and CALL_PARAMETER in inspect.signature(function).parameters:
        raise misuse(
            contract.name,
            f"cache keeps answers by tenant and arguments, and its implementation takes "
            f"{CALL_PARAMETER!r}, which says more. Choose one.",
        )
    return function


def taken(function: Function, offered: dict[str, Any]) -> dict[str, Any]:
    """Return what `function` takes, by keyword, of the values on offer."""
    parameters = inspect.signature(function).parameters
    if any(item.kind is item.VAR_KEYWORD for item in parameters.values()):
        return offered
    return {key: value for key, value in offered.items() if key in parameters}


def check_reconcile(found: Any, name: str) -> Function:
    """Return `found` if it can be asked what happened.

    Raises:
        ConfigError: it is no function of `key` and `call`.
    """
    parameters = inspect.signature(found).parameters if callable(found) else {}
    if not parameters or any(item not in _RECONCILE_PARAMETERS for item in parameters):
        raise misuse(name, "reconcile must be a function that takes `key`, `call`, or both.")
    function: Function = found
    return function


def _as_input(name: str, arguments: Any, tool_call_id: Any) -> Any:
    if tool_call_id is None:
        return arguments
    return {"type": "tool_call", "name": name, "args": arguments, "id": tool_call_id}
