"""The draft before it is checked, and what a model is given to write from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agents.support.replying import brief, check, draft, whole_sentences
from interlock.errors import ModelUnavailable
from interlock.models.contract import MODEL_PORT

if TYPE_CHECKING:
    from tests.unit.application.support.articles import Maker


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("We did it. We did it. We did", "We did it."),
        ("One. Two! Is it three? And then", "One. Two! Is it three?"),
        ("Hello Maya,\n\nWe did it. Bye\n", "Hello Maya,\n\nWe did it."),
        ("no end at all", "no end at all"),
        ("", ""),
    ],
)
def test_a_draft_ends_before_it_repeats_itself(text: str, kept: str) -> None:
    """What is cut is no sentence, or one that was said."""
    assert whole_sentences(text) == kept


def test_a_brief_holds_the_message_and_the_facts(make: Maker) -> None:
    """What was done, the order and the customer; help pages only for a question."""
    pages = [{"document": "d", "title": "Gift cards", "text": "For **5** years.", "score": 0.5}]
    text = brief(make.state(done=make.done("done"), sources=pages))
    assert text.startswith("Customer message: Please refund the shade.\n\nFacts:\n- We are sorry")
    assert "Order A-1035 (1 x 'Fjord' ceramic lamp, 1 x Linen shade for 'Fjord')" in text
    assert "Lukas Hofer" in text
    assert "5 years" not in text
    question = make.state(intent="policy_question", order={}, sources=pages)
    assert "For 5 years." in brief(question)


async def test_without_a_model_the_template_goes_out(make: Maker) -> None:
    """The log says that there was no model."""

    class Nobody:
        async def call_model(self, *_: object) -> None:
            raise ModelUnavailable("nobody answers")

    state = make.state(done=make.done("done"))
    token = MODEL_PORT.set(Nobody())  # type: ignore[arg-type]  # it never answers
    state.update(await draft(state))
    MODEL_PORT.reset(token)
    checked = check(state)
    assert checked["reply_source"] == "template"
    assert checked["problems"] == ["no model: nobody answers"]
