"""The script of the scripted model: a written conversation, as data.

The step that answers follows from the conversation alone, so asking again gives the same answer.
In YAML (or the same as JSON, or as Python data)::

    conversations:
      refund:
        when: arrived broken            # text of the first human message
        steps:                          # step n answers when n AI messages are there
          - answer:
              tool_calls: [{name: lookup_order, args: {order_id: A-1042}}]
          - expect: {tool: lookup_order, text: delivered}
            answer: {text: Your refund is on its way., usage: {input_tokens: 90, output_tokens: 8}}
      copilot:
        pick: match                     # the first step whose expectation holds
        steps:
          - expect: {schema: RefundArguments}
            answer: {json: {order_id: A-1042, amount: "20.00"}}

A bare list of steps is one conversation that takes any first message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from interlock.errors import ConfigError, ScriptMismatch


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expect(_Data):
    """What a step expects of the conversation; fields that are not set expect nothing."""

    role: Literal["human", "ai", "tool", "system"] | None = None
    """Kind of the last message."""
    text: str | None = None
    """Found in the last message."""
    tool: str | None = None
    """The last message is the result of this tool."""
    system: str | None = None
    """Found in a system message."""
    first: str | None = None
    """Found in the first human message."""
    schema_: str | None = Field(default=None, alias="schema")
    """Title of the schema that the answer must fit."""

    def misfit(self, messages: Sequence[BaseMessage], asked: str | None) -> str | None:
        """Return what does not fit, as 'expected ..., got ...', or None."""
        last = messages[-1] if messages else HumanMessage("")
        tool = last.name if isinstance(last, ToolMessage) else None
        systems = " ".join(m.text for m in messages if isinstance(m, SystemMessage))
        pairs = (
            ("a last message of role", self.role, last.type, self.role == last.type),
            ("the result of tool", self.tool, tool, self.tool == tool),
            ("schema", self.schema_, asked, self.schema_ == asked),
            ("a last message with", self.text, last.text, (self.text or "") in last.text),
            ("a system message with", self.system, systems, (self.system or "") in systems),
            (
                "a first human message with",
                self.first,
                _first_human(messages),
                (self.first or "") in _first_human(messages),
            ),
        )
        for what, expected, got, fits in pairs:
            if expected is not None and not fits:
                return f"expected {what} {expected!r}, got {_short(got)}"
        return None


class ScriptedCall(_Data):
    """A tool call of an answer; without an id it gets one that follows from the conversation."""

    name: str
    args: dict[str, JsonValue] | str = Field(default_factory=dict)
    """Arguments, or the text of a call that cannot be read: one that is no JSON object."""
    id: str | None = None


class ScriptedUsage(_Data):
    """Tokens that an answer says it used."""

    input_tokens: int
    output_tokens: int


class Answer(_Data):
    """What a step answers: text, an object, tool calls, or text with tool calls."""

    text: str = ""
    json_: JsonValue = Field(default=None, alias="json")
    """An object, for structured output; it becomes the text."""
    tool_calls: tuple[ScriptedCall, ...] = ()
    usage: ScriptedUsage | None = None
    """None for a count that follows from the lengths: one token for four characters."""


class Step(_Data):
    """One answer, and what it expects to be asked."""

    expect: Expect = Expect()
    answer: Answer


class Conversation(_Data):
    """The steps of one conversation."""

    when: str = ""
    """Found in the first human message of the conversations this one is for."""
    pick: Literal["turn", "match"] = "turn"
    """turn: step n answers when the conversation has n AI messages, and must fit. match: the first
    step that fits answers, for a model that is asked single questions."""
    steps: tuple[Step, ...]


class Script(_Data):
    """Named conversations; the first whose `when` fits is played."""

    conversations: dict[str, Conversation]


def read(data: Any, what: str) -> Script:
    """Return the script that `data` is; a bare list of steps is one conversation.

    Raises:
        ConfigError: `data` is no script.
    """
    if isinstance(data, Script):
        return data
    if isinstance(data, list | tuple):
        data = {"conversations": {"script": {"steps": data}}}
    try:
        return Script.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{what} is not a script: {error}") from error


def choose(script: Script, messages: Sequence[BaseMessage], asked: str | None) -> Answer:
    """Return the scripted answer to a conversation.

    Args:
        script: The script.
        messages: The conversation so far.
        asked: Title of the schema that the answer must fit, if any.

    Raises:
        ScriptMismatch: the conversation is not in the script; says what was expected and what came.
    """
    first = _first_human(messages)
    for name, conversation in script.conversations.items():
        if conversation.when in first:
            return _step(name, conversation, messages, asked).answer
    known = ", ".join(repr(found.when) for found in script.conversations.values())
    raise ScriptMismatch(
        f"No conversation of the script is for a first human message {_short(first)}; there are "
        f"conversations for {known}.",
        expected=known,
        got=first,
    )


def _step(
    name: str, conversation: Conversation, messages: Sequence[BaseMessage], asked: str | None
) -> Step:
    turn = sum(isinstance(message, AIMessage) for message in messages)
    if conversation.pick == "turn":
        if turn >= len(conversation.steps):
            raise _mismatch(
                name, f"expected at most {len(conversation.steps)} calls", turn, messages
            )
        step = conversation.steps[turn]
        misfit = step.expect.misfit(messages, asked)
        if misfit:
            raise _mismatch(name, misfit, turn, messages)
        return step
    misfits = []
    for step in conversation.steps:
        misfit = step.expect.misfit(messages, asked)
        if misfit is None:
            return step
        misfits.append(misfit)
    raise _mismatch(name, "; ".join(misfits), turn, messages)


def _mismatch(name: str, what: str, turn: int, messages: Sequence[BaseMessage]) -> ScriptMismatch:
    last = messages[-1] if messages else HumanMessage("")
    return ScriptMismatch(
        f"The conversation left the script {name!r} at call {turn + 1}: {what}. The last message "
        f"is of role {last.type!r}: {_short(last.text)}.",
        conversation=name,
        turn=turn,
        expected=what,
        got=last.text,
    )


def _first_human(messages: Sequence[BaseMessage]) -> str:
    return next((message.text for message in messages if isinstance(message, HumanMessage)), "")


def _short(text: str | None) -> str:
    return repr(text if text is None or len(text) <= 120 else f"{text[:120]}...")
