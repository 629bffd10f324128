"""Results: checked against the return annotation, JSON both ways."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Strict

from interlock.errors import BadResult
from interlock.tools.validation import ResultForm


class Receipt(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reference: str
    amount: Decimal
    day: Annotated[date, Strict()]


def test_a_model_is_written_and_read_back() -> None:
    """A result crosses as JSON and comes back as the annotated type."""
    form = ResultForm("pay", Receipt)
    receipt = Receipt(reference="r", amount=Decimal("1.50"), day=date(2026, 11, 22))
    written = form.write(receipt)
    assert written == {"reference": "r", "amount": "1.50", "day": "2026-11-22"}
    assert form.read(written) == receipt


def test_plain_data_is_checked_and_completed() -> None:
    """A dict that fits the annotation is as good as an instance."""
    form = ResultForm("pay", list[Decimal])
    assert form.write(["1.5", 2]) == ["1.5", "2"]
    assert form.read(["1.5"]) == [Decimal("1.5")]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
        ),
        max_leaves=8,
    )
)
def test_any_json_passes_an_open_annotation(value: Any) -> None:
    """`Any` takes every JSON value and gives it back unchanged."""
    form = ResultForm("look", Any)
    assert form.schema is None
    assert form.read(form.write(value)) == value


def test_none_is_a_form_of_its_own() -> None:
    """A tool without a result returns None and nothing else."""
    form = ResultForm("ring", None)
    assert form.is_none
    assert form.write(None) is None
    with pytest.raises(BadResult):
        form.write("done")


@pytest.mark.parametrize(
    ("annotation", "value", "says"),
    [
        (Receipt, {"reference": "r"}, "'amount': Field required"),
        (Receipt, None, "Input should be a valid dictionary or instance of Receipt"),
        (int, "many", "'value': Input should be a valid integer"),
        (Any, object(), "Unable to serialize unknown type"),
        (Any, {1: object()}, "Unable to serialize unknown type"),
        (str, "\ud83d", "surrogates not allowed"),
    ],
)
def test_a_result_that_does_not_fit_names_the_tool(annotation: Any, value: Any, says: str) -> None:
    """The error says which field is wrong and who has to change what."""
    with pytest.raises(BadResult, match=r"the result of 'pay' does not fit") as caught:
        ResultForm("pay", annotation).write(value)
    assert says in caught.value.message


def test_json_that_does_not_fit_is_refused_when_read() -> None:
    """What a reviewer or an old ledger row holds is checked, too."""
    with pytest.raises(BadResult, match="'pay'"):
        ResultForm("pay", Receipt).read("done")
