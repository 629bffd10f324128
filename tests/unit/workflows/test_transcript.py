"""A run knows which part of a message list is stored already."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from interlock.models.contract import Binding, ModelAnswer
from interlock.workflows.transcript import Transcript


def message(text: str) -> dict[str, Any]:
    """A message as JSON."""
    return {"$message": "HumanMessage", "data": {"content": text}}


def answer(text: str, ref: str) -> ModelAnswer:
    """An answer that is stored under a reference."""
    return ModelAnswer(message=message(text), ref=ref, model="scripted:x")


def test_only_new_messages_are_sent() -> None:
    """After a call, its messages and the answer are one reference."""
    known = Transcript({}, {})
    assert known.split([message("a")]) == ("", (message("a"),))
    known.learn([message("a")], answer("b", "r1"))
    longer = [message("a"), message("b"), message("c")]
    assert known.split(longer) == ("r1", (message("c"),))


def test_what_was_asked_is_known_without_the_answer() -> None:
    """A graph that keeps another answer than the stored one sends only that and what is new."""
    known = Transcript({}, {})
    known.learn_prompt([message("a")], answer("b", "r1").model_copy(update={"prompt_ref": "p1"}))
    assert known.split([message("a"), message("B")]) == ("p1", (message("B"),))
    unknown = Transcript({}, {})
    unknown.learn_prompt([message("a")], answer("b", "r1"))
    assert unknown.split([message("a")]) == ("", (message("a"),)), "it has no reference"


def test_an_edited_list_starts_a_new_chain() -> None:
    """A summarised history shares no prefix, so all of it is sent."""
    known = Transcript({}, {})
    known.learn([message("a")], answer("b", "r1"))
    assert known.split([message("summary"), message("c")])[0] == ""


def test_a_name_given_to_an_answer_changes_nothing() -> None:
    """`create_agent(name=...)` names answers after the model gave them."""
    known = Transcript({}, {})
    said = {"$message": "AIMessage", "data": {"content": "b"}}
    known.learn([message("a")], ModelAnswer(message=said, ref="r1", model="scripted:x"))
    named = {"$message": "AIMessage", "data": {"content": "b", "name": "shopper"}}
    assert known.split([message("a"), named, message("c")]) == ("r1", (message("c"),))


def test_the_longest_known_prefix_is_found() -> None:
    """Of two stored ends the later one is taken."""
    known = Transcript({}, {})
    known.learn([message("a")], answer("b", "r1"))
    known.learn([message("a"), message("b"), message("c")], answer("d", "r2"))
    assert known.split([message(text) for text in "abcde"]) == ("r2", (message("e"),))
    assert known.split([message("a"), message("b"), message("x")])[0] == "r1"


@given(st.lists(st.text(max_size=3), min_size=1, max_size=30))
def test_prefix_and_rest_are_the_list(texts: list[str]) -> None:
    """However a conversation grows, reference and rest stand for the whole list."""
    known, stored, messages = Transcript({}, {}), {"": []}, []
    for number, text in enumerate(texts):
        messages.append(message(text))
        prefix, rest = known.split(messages)
        assert [*stored[prefix], *rest] == messages
        stored[f"r{number}"] = [*messages, message(f"re {text}")]
        known.learn(messages, answer(f"re {text}", f"r{number}"))
        messages.append(message(f"re {text}"))


def test_it_stays_small() -> None:
    """A long conversation keeps few references."""
    known, messages = Transcript({}, {}), []
    for number in range(100):
        messages.append(message(str(number)))
        known.learn(messages, answer(f"re {number}", f"r{number}"))
        messages.append(message(f"re {number}"))
    assert len(known.known) == 32
    assert known.split(messages)[0] == "r99"


def test_a_binding_is_sent_once() -> None:
    """Equal tools and options have one reference."""
    known = Transcript({}, {})
    binding = Binding(tools=({"type": "function", "function": {"name": "a"}},))
    assert known.binding_ref(binding) == ""
    known.learn_binding(binding, "b1")
    assert Transcript({}, known.bindings).binding_ref(binding.model_copy()) == "b1"
    assert known.binding_ref(Binding()) == ""
