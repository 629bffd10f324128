"""The scripted model plays its script and fails loudly outside it."""

from __future__ import annotations

import json
import textwrap

import pytest
import yaml
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel

import interlock.models.script as script_module
from interlock.errors import ConfigError, ScriptMismatch
from interlock.models.scripted import ScriptedModel

REFUND = {
    "conversations": {
        "refund": {
            "when": "broken",
            "steps": [
                {"answer": {"tool_calls": [{"name": "lookup_order", "args": {"id": "A-1"}}]}},
                {
                    "expect": {"role": "tool", "tool": "lookup_order", "text": "delivered"},
                    "answer": {
                        "text": "It is on its way.",
                        "usage": {"input_tokens": 90, "output_tokens": 8},
                    },
                },
            ],
        },
        "other": {"steps": [{"answer": {"text": "How can I help?"}}]},
    }
}


class Amount(BaseModel):
    """An amount of money."""

    cents: int


async def test_a_conversation_is_played_to_its_end() -> None:
    """Each step answers at its turn, with tool calls, ids and usage."""
    model = ScriptedModel(REFUND)
    messages = [HumanMessage("It arrived broken.")]
    first = await model.ainvoke(messages)
    assert [(call["name"], call["args"]) for call in first.tool_calls] == [
        ("lookup_order", {"id": "A-1"})
    ]
    call_id = first.tool_calls[0]["id"]
    result = ToolMessage("delivered yesterday", tool_call_id=call_id, name="lookup_order")
    second = await model.ainvoke([*messages, first, result])
    assert second.text == "It is on its way."
    assert second.usage_metadata["input_tokens"] == 90
    assert second.usage_metadata["total_tokens"] == 98


async def test_asking_again_gives_the_same_answer() -> None:
    """A retried call, in another process too, gets equal ids and usage; message ids do not count."""
    one = await ScriptedModel(REFUND).ainvoke([HumanMessage("broken", id="1")])
    two = await ScriptedModel(REFUND).ainvoke([HumanMessage("broken", id="2")])
    assert one.tool_calls == two.tool_calls
    assert one.usage_metadata == two.usage_metadata


def test_the_conversation_is_chosen_by_the_first_human_message() -> None:
    """Several conversations live in one script."""
    assert ScriptedModel(REFUND).invoke("Good morning").text == "How can I help?"


def test_a_wrong_turn_is_named() -> None:
    """The error names what was expected, what came, and where."""
    said = [HumanMessage("broken"), AIMessage("hm"), HumanMessage("never mind")]
    with pytest.raises(ScriptMismatch) as caught:
        ScriptedModel(REFUND).invoke(said)
    assert "'refund' at call 2" in caught.value.message
    assert "expected a last message of role 'tool', got 'human'" in caught.value.message
    assert "never mind" in caught.value.message
    assert caught.value.details["turn"] == 1


def test_one_call_too_many_is_named() -> None:
    """A conversation that goes on after the script's end fails."""
    with pytest.raises(ScriptMismatch, match="expected at most 1 calls"):
        ScriptedModel(REFUND).invoke([HumanMessage("hi"), AIMessage("yes?"), HumanMessage("hi")])


def test_a_conversation_that_is_not_in_the_script_is_named() -> None:
    """Without a fitting conversation the error says which ones there are."""
    only = {"conversations": {"refund": REFUND["conversations"]["refund"]}}
    with pytest.raises(ScriptMismatch, match="conversations for 'broken'"):
        ScriptedModel(only).invoke("Good morning")


def test_an_empty_script_expects_no_call() -> None:
    """A test without a script may run an agent that calls no model, and no other."""
    with pytest.raises(ScriptMismatch, match="at most 0 calls"):
        ScriptedModel([]).invoke("hello")


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ({"text": "cake"}, "expected a last message with 'cake', got 'bread'"),
        ({"system": "polite"}, "expected a system message with 'polite', got 'be rude'"),
        ({"first": "tea"}, "expected a first human message with 'tea', got 'bread'"),
        ({"schema": "Amount"}, "expected schema 'Amount', got None"),
        ({"tool": "lookup"}, "expected the result of tool 'lookup', got None"),
    ],
)
def test_every_expectation_can_fail(expect, said) -> None:
    """Each field of an expectation is checked, and its misfit is written out."""
    model = ScriptedModel([{"expect": expect, "answer": {"text": "no"}}])
    with pytest.raises(ScriptMismatch) as caught:
        model.invoke([SystemMessage("be rude"), HumanMessage("bread")])
    assert said in caught.value.message


def test_the_first_step_that_fits_answers_single_questions() -> None:
    """With `pick: match` one script serves a graph that asks separate questions."""
    script = {
        "conversations": {
            "graph": {
                "pick": "match",
                "steps": [
                    {"expect": {"schema": "Amount"}, "answer": {"json": {"cents": 250}}},
                    {"expect": {"system": "Draft"}, "answer": {"text": "Dear customer"}},
                ],
            }
        }
    }
    model = ScriptedModel(script)
    assert model.with_structured_output(Amount).invoke("2.50") == Amount(cents=250)
    assert model.invoke([SystemMessage("Draft a reply."), HumanMessage("x")]).text == (
        "Dear customer"
    )
    with pytest.raises(ScriptMismatch, match=r"expected schema 'Amount', got None; expected a sys"):
        model.invoke("x")


def test_structured_output_keeps_the_raw_answer() -> None:
    """With `include_raw` a misfit is returned, not raised."""
    model = ScriptedModel([{"answer": {"json": {"cents": "many"}}}])
    found = model.with_structured_output(Amount, include_raw=True).invoke("x")
    assert found["parsed"] is None
    assert found["raw"].text == '{"cents": "many"}'
    assert "cents" in str(found["parsing_error"])


def test_tools_may_be_bound() -> None:
    """Binding tools changes nothing about the answers."""
    model = ScriptedModel([{"answer": {"text": "fine"}}])
    assert model.bind_tools([Amount], tool_choice="any").invoke("x").text == "fine"


@pytest.mark.parametrize("name", ["script.yaml", "script.json"])
def test_a_script_is_read_from_a_file(tmp_path, name) -> None:
    """YAML and JSON files hold the same data."""
    path = tmp_path / name
    write = yaml.safe_dump if name.endswith("yaml") else json.dumps
    path.write_text(write(REFUND))
    assert ScriptedModel.from_file(path).invoke("Good morning").text == "How can I help?"


@pytest.mark.parametrize("text", ["conversations: [", "conversations: 7", "- answr: {}"])
def test_a_file_that_is_no_script_is_refused(tmp_path, text) -> None:
    """The error names the file."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        ScriptedModel.from_file(path)


def test_a_missing_file_is_refused(tmp_path) -> None:
    """The error names the file that is not there."""
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        ScriptedModel.from_file(tmp_path / "gone.yaml")


def test_the_documented_example_is_a_script() -> None:
    """What the module's documentation shows can be used as it is."""
    lines = script_module.__doc__.partition("::\n")[2].partition("\nA bare list")[0]
    model = ScriptedModel(yaml.safe_load(textwrap.dedent(lines)))
    assert model.invoke("It arrived broken").tool_calls[0]["name"] == "lookup_order"


def test_a_call_of_text_cannot_be_read() -> None:
    """A script can play a model that writes no JSON."""
    steps = [{"answer": {"tool_calls": [{"name": "pay", "args": '{"amount":', "id": "c1"}]}}]
    answer = ScriptedModel(steps).invoke("hi")
    assert answer.tool_calls == []
    (call,) = answer.invalid_tool_calls
    assert (call["name"], call["args"], call["id"]) == ("pay", '{"amount":', "c1")
