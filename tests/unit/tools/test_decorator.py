"""`@tool`: what a declaration becomes, and which declarations are refused."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import InjectedToolArg, InjectedToolCallId
from langchain_core.tools import tool as stock_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.prebuilt import InjectedState, ToolRuntime
from pydantic import BaseModel, Field

from interlock.errors import ConfigError, ToolFailed
from interlock.tools import Effect, Risk, Throttle, Tool, ToolCall, tool


class Receipt(BaseModel):
    reference: str


async def pay(
    order_id: Annotated[str, Field(pattern="^A-", description="Id of the order.")],
    amount: int,
    note: str = "",
) -> Receipt:
    """Pay an order.

    It cannot be taken back.

    Args:
        order_id: Not shown: the annotation says more.
        amount (int): In cents,
            tax included.
        note: For the customer.

    Returns:
        The receipt.
    """
    return Receipt(reference=f"{order_id}/{amount}/{note}")


def test_signature_and_docstring_become_the_contract() -> None:
    """Name, description, schemas and terms come from the function and the decorator."""
    paid = tool(pay, effect=Effect.EXTERNAL, risk=Risk.HIGH, timeout_seconds=5, throttle="90/min")
    contract = paid.contract
    assert contract.name == paid.name == "pay"
    assert contract.description == paid.description == "Pay an order.\n\nIt cannot be taken back."
    assert (contract.effect, contract.risk) == (Effect.EXTERNAL, Risk.HIGH)
    assert (contract.timeout_seconds, contract.attempts) == (5, 3)
    assert contract.throttle == Throttle(rate="90/min")
    assert not contract.local
    assert not contract.reconciles
    properties = contract.parameters["properties"]
    assert properties["order_id"]["description"] == "Id of the order."
    assert properties["amount"]["description"] == "In cents, tax included."
    assert properties["note"]["description"] == "For the customer."
    assert contract.parameters["required"] == ["order_id", "amount"]
    assert contract.parameters["additionalProperties"] is False
    assert contract.result is not None
    assert contract.result["properties"].keys() == {"reference"}


def test_a_chat_model_is_shown_the_same_schema() -> None:
    """`bind_tools` gives the contract's parameters, without pydantic's titles."""
    shown = convert_to_openai_tool(tool(pay, effect=Effect.EXTERNAL))["function"]
    assert shown["name"] == "pay"
    assert shown["description"].startswith("Pay an order.")
    assert shown["parameters"] == {
        "type": "object",
        "additionalProperties": False,
        "required": ["order_id", "amount"],
        "properties": {
            "order_id": {"type": "string", "pattern": "^A-", "description": "Id of the order."},
            "amount": {"type": "integer", "description": "In cents, tax included."},
            "note": {"type": "string", "default": "", "description": "For the customer."},
        },
    }


def test_only_pure_tools_are_local_by_default() -> None:
    """PURE runs as a local activity unless throttled; READ only when it is said to."""
    assert tool(pay, effect=Effect.PURE).contract.local
    assert not tool(pay, effect=Effect.PURE, throttle="1/s").contract.local
    assert not tool(pay, effect=Effect.PURE, local=False).contract.local
    assert not tool(pay, effect=Effect.READ).contract.local
    assert tool(pay, effect=Effect.READ, local=True).contract.local


def test_the_decorator_takes_options_and_keeps_the_body() -> None:
    """Used as a decorator it makes a tool whose implementation is the function itself."""

    @tool(effect=Effect.READ, name="peek")
    def look(at: str) -> str:
        """Look."""
        return at.upper()

    assert isinstance(look, Tool)
    assert look.name == "peek"
    assert look.implementation()(at="x") == "X"
    assert look.reconciler() is None


def test_the_call_is_no_argument_of_the_model() -> None:
    """`call: ToolCall` is left out of the schema."""

    @tool(effect=Effect.READ)
    def look(at: str, call: ToolCall) -> str:
        """Look."""
        return at + call.call_id

    assert look.contract.parameters["properties"].keys() == {"at"}


def of_amount(amount: int) -> Risk:
    """Judge by amount."""
    return Risk.HIGH if amount > 100 else Risk.LOW


def test_risk_is_a_function_of_the_arguments_above_a_floor() -> None:
    """The rule gets the arguments it names, typed; its answer is never under the floor."""
    paid = tool(pay, effect=Effect.EXTERNAL, risk=of_amount, risk_floor=Risk.MEDIUM)
    assert paid.risk_of(paid.validate_arguments({"order_id": "A-1", "amount": "101"})) == Risk.HIGH
    assert paid.risk_of(paid.validate_arguments({"order_id": "A-1", "amount": 1})) == Risk.MEDIUM
    everything = tool(pay, effect=Effect.EXTERNAL, risk=lambda **given: Risk(given["note"]))
    assert everything.risk_of({"order_id": "A-1", "amount": 1, "note": "high"}) == Risk.HIGH


def test_a_risk_rule_that_fails_is_named() -> None:
    """A rule that raises, or returns no risk, is an error of the tool and no low risk."""
    paid = tool(pay, effect=Effect.EXTERNAL, risk=lambda note: Risk(note))
    with pytest.raises(ConfigError, match="'pay': its risk rule failed: ValueError"):
        paid.risk_of({"order_id": "A-1", "amount": 1, "note": "vast"})


def test_contract_version_changes_with_the_contract() -> None:
    """Equal contracts have one version, and any change another."""
    one = tool(pay, effect=Effect.EXTERNAL).contract
    assert one.version == tool(pay, effect=Effect.EXTERNAL).contract.version
    assert one.version != tool(pay, effect=Effect.EXTERNAL, attempts=4).contract.version


def test_labels_are_part_of_the_contract() -> None:
    """In one order and once; a contract without any is what it was before there were labels."""
    plain = tool(pay, effect=Effect.EXTERNAL).contract
    read = tool(pay, effect=Effect.EXTERNAL, labels=("web", "mail", "web")).contract
    assert (plain.labels, read.labels) == ((), ("mail", "web"))
    assert tool(pay, effect=Effect.EXTERNAL, labels="web").contract.labels == ("web",)
    assert plain.version != read.version
    assert "labels" not in plain.model_dump()
    with pytest.raises(ConfigError, match=r"tool 'pay'.*'labels\.0': String should match"):
        tool(pay, effect=Effect.EXTERNAL, labels="The Web")


def no_docstring(a: int) -> int:  # noqa: D103
    return a


def no_annotation(a, b: int) -> int:  # type: ignore[no-untyped-def]
    """Add."""
    return b


def no_return(a: int):  # type: ignore[no-untyped-def]
    """Add."""


def any_arguments(*a: int) -> int:
    """Add."""
    return sum(a)


def any_keywords(**a: int) -> int:
    """Add."""
    return sum(a.values())


def positional(a: int, /) -> int:
    """Add."""
    return a


def from_state(a: Annotated[dict[str, Any], InjectedState]) -> int:
    """Add."""
    return len(a)


def from_state_field(a: Annotated[int, InjectedState("count")]) -> int:
    """Add."""
    return a


def from_call(a: Annotated[str, InjectedToolCallId]) -> int:
    """Add."""
    return len(a)


def from_nowhere(a: Annotated[str, InjectedToolArg]) -> int:
    """Add."""
    return len(a)


def with_runtime(a: ToolRuntime[Any, Any]) -> int:
    """Add."""
    return len(a.state)


def named_runtime(runtime: int) -> int:
    """Add."""
    return runtime


def with_config(a: RunnableConfig) -> int:
    """Add."""
    return len(a)


def with_other_call(call: str) -> int:
    """Add."""
    return len(call)


def with_set(a: list[set[str]]) -> int:
    """Add."""
    return len(a)


def with_factory(a: Annotated[str, Field(default_factory=lambda: str(uuid4()))]) -> int:
    """Add."""
    return len(a)


def with_private(_a: int) -> int:
    """Add."""
    return _a


def with_shadow(copy: int) -> int:
    """Add."""
    return copy


def with_strange_type(a: pytest.MonkeyPatch) -> int:
    """Add."""
    return id(a)


def with_strange_result(a: int) -> pytest.MonkeyPatch:
    """Add."""
    return pytest.MonkeyPatch()


def with_unknown_type(a: Unheard) -> int:  # type: ignore[name-defined]  # noqa: F821
    """Add."""
    return id(a)


def Shouting(a: int) -> int:  # noqa: N802
    """Add."""
    return a


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (no_docstring, "no docstring"),
        (no_annotation, "'a' has no annotation"),
        (no_return, "the return value has no annotation"),
        (any_arguments, r"\*a takes any argument"),
        (any_keywords, r"\*\*a takes any argument"),
        (positional, "'a' is positional only"),
        (from_state, "'a' would be injected"),
        (from_state_field, "'a' would be injected"),
        (from_call, "'a' would be injected"),
        (from_nowhere, "'a' would be injected"),
        (with_runtime, "'a' would be injected"),
        (named_runtime, "'runtime' would be injected"),
        (with_config, "'a' would be injected"),
        (with_other_call, "'call' is the name of the ToolCall"),
        (with_set, "a set has no order"),
        (with_factory, "the default of 'a' is made anew"),
        (with_private, "cannot have a field '_a'"),
        (with_shadow, "cannot have a field 'copy'"),
        (with_strange_type, "parameters have no JSON schema"),
        (with_strange_result, "return annotation has no JSON form"),
        (with_unknown_type, "name 'Unheard' is not defined"),
        (Shouting, "'name': String should match"),
    ],
)
def test_a_function_that_makes_no_tool_is_refused(function: Any, says: str) -> None:
    """The error names the tool and what to do, when the module is imported."""
    with pytest.raises(ConfigError, match=says) as caught:
        tool(function, effect=Effect.READ)
    assert caught.value.details["tool"] == function.__name__


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"effect": Effect.EXTERNAL, "local": True}, "local=True is for PURE and READ"),
        ({"effect": Effect.IDEMPOTENT, "local": True}, "local=True is for PURE and READ"),
        ({"effect": Effect.READ, "local": True, "throttle": "1/s"}, "passes by throttle"),
        ({"effect": Effect.READ, "reconcile": lambda key: key}, "nothing to reconcile"),
        ({"effect": Effect.PURE, "reconcile": "a:b"}, "nothing to reconcile"),
        ({"effect": Effect.EXTERNAL, "reconcile": lambda order: order}, "takes `key`, `call`"),
        ({"effect": Effect.EXTERNAL, "reconcile": lambda: None}, "takes `key`, `call`"),
        ({"effect": Effect.EXTERNAL, "throttle": "fast"}, "'fast' is no rate"),
        ({"effect": Effect.EXTERNAL, "throttle": "0/s"}, "'0/s' is no rate"),
        ({"effect": Effect.EXTERNAL, "risk": lambda price: price}, "risk rule does not fit"),
        ({"effect": Effect.EXTERNAL, "timeout_seconds": 0}, "'timeout_seconds'"),
        ({"effect": Effect.EXTERNAL, "attempts": 0}, "'attempts'"),
        ({"effect": Effect.EXTERNAL, "name": "Pay!"}, "'name'"),
    ],
)
def test_terms_that_contradict_each_other_are_refused(options: dict[str, Any], says: str) -> None:
    """Misuse of the decorator is found when the module is imported."""
    with pytest.raises(ConfigError, match=says):
        tool(pay, **options)


def test_a_tool_without_a_result_cannot_reconcile() -> None:
    """None means 'did not happen', so it must not be a result."""

    def ring(bell: str) -> None:
        """Ring."""

    with pytest.raises(ConfigError, match="result must not be None"):
        tool(ring, effect=Effect.EXTERNAL, reconcile=lambda key: key)


def implementation_of_pay(order_id: str, amount: int, note: str, call: ToolCall) -> Receipt:
    """Do what `pay` declares."""
    return Receipt(reference=call.effect_key + order_id + note + str(amount))


def implementation_of_other(order: str) -> str:
    """Take other arguments than `pay`."""
    return order


def reconcile_pay(key: str) -> Receipt | None:
    """Say what happened."""
    return Receipt(reference=key)


HERE = "unit_tools_declared"


@pytest.fixture(autouse=True)
def _module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this module importable under a name, as an application's module is."""
    import sys

    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])


def test_the_implementation_is_imported_when_it_is_asked_for() -> None:
    """`runs` and `reconcile` name functions that nothing loads before the worker does."""
    declared = tool(
        pay,
        effect=Effect.EXTERNAL,
        runs=f"{HERE}:implementation_of_pay",
        reconcile=f"{HERE}:reconcile_pay",
    )
    assert declared.contract.reconciles
    assert declared.implementation() is implementation_of_pay
    assert declared.reconciler() is reconcile_pay
    late = tool(pay, effect=Effect.EXTERNAL, runs="no.such.module:f", reconcile="no.such:g")
    with pytest.raises(ConfigError, match="no module"):
        late.implementation()
    with pytest.raises(ConfigError, match="no module"):
        late.reconciler()


@pytest.mark.parametrize("attribute", ["implementation_of_other", "HERE", "other_tool"])
def test_an_implementation_that_does_not_fit_is_refused(attribute: str) -> None:
    """`runs` must name a function of the tool's arguments."""
    declared = tool(pay, effect=Effect.EXTERNAL, runs=f"{HERE}:{attribute}")
    with pytest.raises(ConfigError, match="runs="):
        declared.implementation()


def test_a_reconcile_that_does_not_fit_is_refused_when_loaded() -> None:
    """`reconcile` must name a function of `key` or `call`."""
    declared = tool(pay, effect=Effect.EXTERNAL, reconcile=f"{HERE}:implementation_of_other")
    with pytest.raises(ConfigError, match="takes `key`"):
        declared.reconciler()


@stock_tool
def other_tool(day: date, times: int = 1) -> str:
    """Say a day."""
    return " ".join([day.isoformat()] * times)


async def test_a_stock_tool_is_adopted() -> None:
    """Its schema and description are kept, and its `ainvoke` is the implementation."""
    adopted = tool(other_tool, effect=Effect.READ, name="say_day")
    assert adopted.contract.name == "say_day"
    assert adopted.contract.description == "Say a day."
    arguments = adopted.validate_arguments({"day": "2026-11-22"})
    assert arguments == {"day": "2026-11-22", "times": 1}
    given = adopted.typed_arguments(arguments)
    assert await adopted.implementation()(**given) == "2026-11-22"
    with pytest.raises(ConfigError, match="leave out `runs`"):
        tool(other_tool, effect=Effect.READ, runs="a:b")


def test_what_a_stock_tool_brings_is_from_outside() -> None:
    """Others wrote it, until its contract says otherwise; what only computes brings nothing."""
    labels = {
        "by default": tool(other_tool, effect=Effect.READ),
        "an effect": tool(other_tool, effect=Effect.EXTERNAL),
        "computes": tool(other_tool, effect=Effect.PURE),
        "none": tool(other_tool, effect=Effect.READ, labels=()),
        "its own": tool(other_tool, effect=Effect.READ, labels="web"),
    }
    assert {name: made.contract.labels for name, made in labels.items()} == {
        "by default": ("stock",),
        "an effect": ("stock",),
        "computes": (),
        "none": (),
        "its own": ("web",),
    }


async def test_a_stock_tools_error_is_a_no_only_when_it_reads() -> None:
    """ToolException of a reading tool is told to the model; of another it settles nothing."""
    from langchain_core.tools import ToolException

    @stock_tool
    def fail(a: int) -> str:
        """Fail."""
        raise ToolException("gone")

    with pytest.raises(ToolFailed, match="gone"):
        await tool(fail, effect=Effect.READ).implementation()(a=1)
    with pytest.raises(ToolException, match="gone"):
        await tool(fail, effect=Effect.EXTERNAL).implementation()(a=1)


def test_a_stock_tool_with_injected_arguments_is_refused() -> None:
    """What LangGraph injects would pass by validation and approval."""

    @stock_tool
    def peek(at: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
        """Peek."""
        return at

    with pytest.raises(ConfigError, match="'state' would be injected"):
        tool(peek, effect=Effect.READ)


def test_a_stock_tool_without_a_model_is_refused() -> None:
    """A bare JSON schema cannot validate."""
    from langchain_core.tools import StructuredTool

    bare = StructuredTool(
        name="bare",
        description="Bare.",
        args_schema={"type": "object", "properties": {"a": {"type": "integer"}}},
        func=lambda a: a,
    )
    with pytest.raises(ConfigError, match="no pydantic model"):
        tool(bare, effect=Effect.READ)
