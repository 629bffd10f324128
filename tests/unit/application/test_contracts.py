"""The tool contracts: light to import, canonical, risky by amount, and kept by the implementations."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from interlock.errors import BadArguments
from interlock.tools import Effect, Risk
from tools.contracts import TOOLS, refund
from tools.refund_blind import refund_blind


def _arguments(amount: Any) -> dict[str, Any]:
    return {"order_id": "A-1042", "amount": amount, "reason": "Arrived broken"}


def test_importing_the_contracts_loads_no_database_and_no_http_client() -> None:
    """A replay that imports the contracts needs neither SQLModel nor an HTTP client."""
    code = (
        "import sys, tools.contracts\n"
        "heavy = {'sqlmodel', 'sqlalchemy', 'aiosqlite', 'starlette', 'uvicorn', 'chromadb'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert not [name for name in sys.modules if name.startswith('tools.service')]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("amount", "risk"),
    [
        ("0.01", Risk.LOW),
        ("20.00", Risk.LOW),
        ("20.01", Risk.MEDIUM),
        ("50", Risk.MEDIUM),
        ("50.01", Risk.HIGH),
        ("2000", Risk.HIGH),
    ],
)
def test_risk_of_a_refund_grows_with_the_amount(amount: str, risk: Risk) -> None:
    """Up to 20 EUR low, up to 50 EUR medium, above that high."""
    assert refund.risk_of(refund.validate_arguments(_arguments(amount))) is risk


@pytest.mark.parametrize("amount", [89, 89.0, "89", "89.0", "89.00"])
def test_equal_money_is_one_action(amount: Any) -> None:
    """However a model writes an amount, the reviewer and the ledger see the same one."""
    assert refund.validate_arguments(_arguments(amount))["amount"] == "89.00"


@pytest.mark.parametrize("amount", [0, -5, "2000.01", "1.005", "lots"])
def test_amounts_that_cannot_be_paid_go_back_to_the_model(amount: Any) -> None:
    """Zero, negative, too large and too fine amounts are mistakes that the message names."""
    with pytest.raises(BadArguments, match="'amount'"):
        refund.validate_arguments(_arguments(amount))


def test_effects_are_declared_as_the_implementations_behave() -> None:
    """Reads are local; what changes the world reconciles or honours a key."""
    declared = {tool.name: (tool.contract.effect, tool.contract.reconciles) for tool in TOOLS}
    assert declared == {
        "customer_lookup": (Effect.READ, False),
        "order_lookup": (Effect.READ, False),
        "refund": (Effect.EXTERNAL, True),
        "replacement_order": (Effect.EXTERNAL, True),
        "address_change": (Effect.IDEMPOTENT, False),
        "send_reply": (Effect.EXTERNAL, True),
    }
    assert [tool.name for tool in TOOLS if tool.contract.throttle] == ["send_reply"]
    assert [tool.name for tool in TOOLS if tool.contract.local] == [
        "customer_lookup",
        "order_lookup",
    ]


def test_every_tool_names_what_it_calls() -> None:
    """Refunds go to the payment service, the rest to the CRM; what changes something can wait."""
    declared = {
        tool.name: (tool.contract.dependency, tool.contract.while_open)
        for tool in (*TOOLS, refund_blind)
    }
    assert declared == {
        "customer_lookup": ("crm", "fail"),
        "order_lookup": ("crm", "fail"),
        "refund": ("payments", "wait"),
        "refund_blind": ("payments", "wait"),
        "replacement_order": ("crm", "wait"),
        "address_change": ("crm", "wait"),
        "send_reply": ("crm", "wait"),
    }


def test_every_implementation_and_reconciler_is_found() -> None:
    """What `runs` and `reconcile` name exists and takes the arguments of its contract."""
    for tool in (*TOOLS, refund_blind):
        assert callable(tool.implementation())
        assert (tool.reconciler() is not None) == tool.contract.reconciles


def test_the_blind_refund_differs_only_in_being_blind() -> None:
    """The refund without `reconcile` takes, gives and risks the same."""
    blind, seeing = refund_blind.contract, refund.contract
    assert (blind.effect, blind.reconciles) == (Effect.EXTERNAL, False)
    assert blind.parameters["properties"] == seeing.parameters["properties"]
    assert blind.result == seeing.result
    assert refund_blind.risk_of(_arguments("89.00")) is Risk.HIGH
