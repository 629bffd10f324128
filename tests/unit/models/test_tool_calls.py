"""Tool calls of an answer are told apart by their ids; unreadable ones are explained."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.messages.tool import invalid_tool_call, tool_call

from interlock.models.messages import from_json, to_json
from interlock.models.tool_calls import corrections, ids_in, made_id, mistakes, with_own_ids

IDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4)


def answer(*ids: str, broken: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    """An answer with calls of `pay`, the broken ones with half of their arguments."""
    calls = [tool_call(name="pay", args={"amount": n}, id=given) for n, given in enumerate(ids)]
    unread = [invalid_tool_call(name="pay", args='{"amount":', id=given) for given in broken]
    fields = {"content": "", "id": "msg_1", **fields}
    return to_json(AIMessage(tool_calls=calls, invalid_tool_calls=unread, **fields))


def test_free_ids_stay_as_they_are() -> None:
    """What a provider tells apart is not touched."""
    message = answer("a", "b", broken=("c",))
    assert with_own_ids(message, {"d"}) is message


def test_an_id_that_is_taken_is_replaced_wherever_the_answer_has_it() -> None:
    """Providers' libraries repeat the ids in the content or beside it."""
    content = [{"type": "text", "text": "a"}, {"type": "tool_use", "id": "a", "input": {"id": "a"}}]
    more = {"tool_calls": [{"id": "a", "function": {"name": "pay"}}], "refusal": None}
    message = answer("a", content=content, additional_kwargs=more)
    new, found = made_id("msg_1", 0), from_json(with_own_ids(message, ["a"]))
    assert isinstance(found, AIMessage)
    assert [call["id"] for call in found.tool_calls] == [new]
    assert found.content == [content[0], {"type": "tool_use", "id": new, "input": {"id": "a"}}]
    assert found.additional_kwargs["tool_calls"][0]["id"] == new
    assert ids_in(message) == ["a"], "what came is not changed"


def test_ids_that_an_answer_repeats_are_told_apart() -> None:
    """The first keeps its id, the others get their own, in the order of the calls."""
    blocks = [{"type": "function_call", "id": f"fc_{n}", "call_id": "a"} for n in range(2)]
    found = with_own_ids(answer("a", "a", broken=("a",), content=blocks), ())
    assert ids_in(found) == ["a", made_id("msg_1", 1), made_id("msg_1", 2)]
    assert [block["call_id"] for block in found["data"]["content"]] == ids_in(found)[:2]
    assert [block["id"] for block in found["data"]["content"]] == ["fc_0", "fc_1"]


@given(IDS, IDS, IDS)
def test_no_id_is_ever_used_twice(valid: list[str], broken: list[str], taken: list[str]) -> None:
    """Whatever a provider repeats, within an answer or from before, and the calls stay in order."""
    message = answer(*valid, broken=tuple(broken))
    found = with_own_ids(message, taken)
    own = ids_in(found)
    assert len(own) == len(set(own)) == len(valid) + len(broken)
    assert not set(own) & set(taken)
    for before, after in zip(ids_in(message), own, strict=True):
        assert after == before or before in taken or ids_in(message).count(before) > 1
    calls = from_json(found).tool_calls  # type: ignore[attr-defined]
    assert [call["args"]["amount"] for call in calls] == list(range(len(valid)))


def test_a_readable_answer_needs_no_correction() -> None:
    """Nothing is said of it."""
    assert corrections(answer("a")) == []
    assert mistakes(answer("a")) == []


def test_every_call_of_an_unreadable_answer_gets_an_error() -> None:
    """Each with its id, so that a provider finds a result for every call."""
    message = answer("a", broken=("b",))
    readable, broken = (from_json(told) for told in corrections(message))
    assert isinstance(readable, ToolMessage)
    assert isinstance(broken, ToolMessage)
    assert [m.tool_call_id for m in (readable, broken)] == ["a", "b"]
    assert {m.status for m in (readable, broken)} == {"error"}
    assert "another call of the same answer was no JSON" in str(readable.text)
    assert str(broken.text).startswith("'pay' was not called: its arguments are no JSON: Expecting")
    assert mistakes(message) == [str(broken.text)]


def test_arguments_that_are_no_object_are_said_to_be_that() -> None:
    """They are JSON, so there is no place in them to point at; a name may be missing too."""
    call = invalid_tool_call(name=None, args="[1]", id="a")
    (told,) = mistakes(to_json(AIMessage("", invalid_tool_calls=[call])))
    assert told.startswith(
        "a tool without a name was not called: its arguments are no JSON object."
    )
