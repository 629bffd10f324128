"""What a run knows of its transcripts: which prefix of a message list is stored already.

A model call then carries one reference and the new messages only, whatever the graph did to its
message list: an edited or summarised list simply has a shorter known prefix.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from interlock.canonical import digest
from interlock.models.contract import Binding, ModelAnswer

_KEPT = 32
"""Known ends kept for a run: those of its newest calls. A list that ends before the oldest of them
is sent whole."""


class Transcript:
    """Known transcript ends and bindings of one run, by digest."""

    def __init__(self, known: dict[str, str], bindings: dict[str, str]) -> None:
        """Start with the references of an earlier part of the run."""
        self.known = dict(known)
        self.bindings = dict(bindings)

    def split(self, messages: list[dict[str, Any]]) -> tuple[str, tuple[dict[str, Any], ...]]:
        """Return the reference of the longest known prefix and the messages after it."""
        best, reference = 0, ""
        for length, rolling in enumerate(_rolling(messages), start=1):
            if rolling in self.known:
                best, reference = length, self.known[rolling]
        return reference, tuple(messages[best:])

    def learn(self, messages: list[dict[str, Any]], answer: ModelAnswer) -> None:
        """Remember that `messages` and the answer to them are stored."""
        self._learn([*messages, answer.message], answer.ref)

    def learn_prompt(self, messages: list[dict[str, Any]], answer: ModelAnswer) -> None:
        """Remember that `messages` are stored: what the graph keeps is not the answer to them."""
        self._learn(messages, answer.prompt_ref)

    def _learn(self, messages: list[dict[str, Any]], reference: str) -> None:
        if not messages or not reference:
            return
        *_, rolling = _rolling(messages)
        self.known[rolling] = reference
        while len(self.known) > _KEPT:
            del self.known[next(iter(self.known))]

    def binding_ref(self, binding: Binding) -> str:
        """Return the reference of a binding that is stored, or ''."""
        return self.bindings.get(_key(binding), "")

    def learn_binding(self, binding: Binding, reference: str) -> None:
        """Remember that a binding is stored."""
        if reference:
            self.bindings[_key(binding)] = reference


def _key(binding: Binding) -> str:
    return digest(binding.model_dump(mode="json", by_alias=True))


def _rolling(messages: list[dict[str, Any]]) -> list[str]:
    # Every call reads the whole list, so not the canonical form, which takes several times as long:
    # these digests are compared with each other only, and messages are plain JSON already.
    running = hashlib.sha256()
    found = []
    for message in map(_without_name, messages):
        line = json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        running.update(line.encode("utf-8", "surrogatepass"))
        running.update(b"\n")
        found.append(running.hexdigest())
    return found


def _without_name(message: dict[str, Any]) -> dict[str, Any]:
    """Leave out the name of an answer: `create_agent(name=...)` sets it after the model answered."""
    if message.get("$message") != "AIMessage" or "name" not in message.get("data", {}):
        return message
    data = {key: value for key, value in message["data"].items() if key != "name"}
    return {**message, "data": data}
