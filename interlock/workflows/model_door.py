"""The model door inside a workflow: one recorded call of the model gateway."""

from __future__ import annotations

from typing import Any

from interlock.errors import InterlockError
from interlock.models.contract import Binding, ModelAnswer, ModelCall
from interlock.workflows import calls
from interlock.workflows.run import Run


class ModelDoor:
    """`ModelPort` for graph code that runs in a workflow."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def call_model(
        self, role: str, messages: list[dict[str, Any]], binding: Binding
    ) -> ModelAnswer:
        """Call the model of `role`; see `ModelPort`."""
        identity = self._run.recorder.identify("model")
        return await self._run.recorder.once(
            "model", identity, lambda: self._call(role, messages, binding), keep_errors=True
        )

    async def _call(
        self, role: str, messages: list[dict[str, Any]], binding: Binding
    ) -> ModelAnswer:
        run = self._run
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
        run.transcript.learn(messages, answer)
        run.transcript.learn_binding(binding, answer.binding_ref)
        run.count_model(answer)
        self._count_unknown_tools(answer, binding)
        return answer

    def _count_unknown_tools(self, answer: ModelAnswer, binding: Binding) -> None:
        known = {str(tool.get("function", {}).get("name", "")) for tool in binding.tools}
        data = answer.message.get("data", {})
        for call in data.get("tool_calls", []) if known else []:
            if call["name"] not in known:
                self._run.count_mistake(
                    f"it called a tool {call['name']!r} that does not exist; there are "
                    f"{', '.join(sorted(known))}."
                )
        for call in data.get("invalid_tool_calls", []):
            self._run.count_mistake(f"its call of {call.get('name')!r} was no JSON.")
