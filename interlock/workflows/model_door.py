"""The model door inside a workflow: one recorded call of the model gateway."""

from __future__ import annotations

from typing import Any

from interlock.errors import InterlockError
from interlock.models.contract import Binding, ModelAnswer, ModelCall
from interlock.models.tool_calls import corrections, mistakes
from interlock.workflows import calls
from interlock.workflows.run import Run


class ModelDoor:
    """`ModelPort` for graph code that runs in a workflow.

    An answer reaches the graph when all of its tool calls can be read. One with a call that is no
    JSON is given back to the model, with an error message for each of its calls, in a further
    recorded call, and so on; each such call is a mistake, and their number in a row is limited. So
    every graph is safe from them, with a loop of its own or without. The graph's state has the
    answer that could be read; the run's model calls, and the prompts of the audit, have all.

    A tool call whose id was used before in this run gets an id of its own.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    async def call_model(
        self, role: str, messages: list[dict[str, Any]], binding: Binding
    ) -> ModelAnswer:
        """Call the model of `role`; see `ModelPort`."""
        identity = self._run.recorder.identify("model")
        return await self._run.recorder.once(
            "model", identity, lambda: self._answer(role, messages, binding), keep_errors=True
        )

    async def _answer(
        self, role: str, messages: list[dict[str, Any]], binding: Binding
    ) -> ModelAnswer:
        asked = messages
        while True:
            answer = await self._call(role, asked, binding)
            told = corrections(answer.message)
            if not told:
                return answer
            for mistake in mistakes(answer.message):
                self._run.count_mistake(mistake)
            if asked is messages:
                self._run.transcript.learn_prompt(messages, answer)
            asked = [*asked, answer.message, *told]
            self._run.refuse_when_cancelled()

    async def _call(
        self, role: str, messages: list[dict[str, Any]], binding: Binding
    ) -> ModelAnswer:
        run = self._run
        offered = _names(binding)
        run.offered |= dict.fromkeys(offered)
        prefix, new = run.transcript.split(messages)
        reference = run.transcript.binding_ref(binding)
        call = ModelCall(
            call_id=run.next_model_call(),
            role=role,
            prefix=prefix,
            messages=new,
            binding_ref=reference,
            binding=None if reference else binding,
            context=run.context(),
        )
        try:
            answer = await calls.call_model(call, summary=f"model {role} [{call.context.node}]")
        except InterlockError as error:
            run.blame(error, "model", [call.prefix, list(call.messages)], call=call.call_id)
            raise
        run.transcript.learn_binding(binding, answer.binding_ref)
        run.count_model(answer)
        answer = self._with_own_ids(messages, answer)
        self._count_unknown_tools(answer, offered)
        return answer

    def _with_own_ids(self, messages: list[dict[str, Any]], answer: ModelAnswer) -> ModelAnswer:
        run = self._run
        own = run.logical_calls.own_ids(answer.message)
        if own is answer.message:
            run.transcript.learn(messages, answer)
            return answer
        run.transcript.learn_prompt(messages, answer)
        return answer.model_copy(update={"message": own})

    def _count_unknown_tools(self, answer: ModelAnswer, offered: list[str]) -> None:
        called = answer.message.get("data", {}).get("tool_calls", [])
        for call in called if offered else []:
            if call["name"] not in offered:
                self._run.count_mistake(
                    f"it called a tool {call['name']!r} that does not exist; there are "
                    f"{', '.join(sorted(offered))}."
                )


def _names(binding: Binding) -> list[str]:
    return [str(tool["function"]["name"]) for tool in binding.tools if "function" in tool]
