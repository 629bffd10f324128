"""`AgentWorkflow`: one durable run or conversation with one agent."""

from __future__ import annotations

from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    # The rooms below hold registries and graphs that a worker loads once. Their workflow-safe files
    # are checked by a static test instead of the sandbox (docs/decisions/0003).
    from interlock.approvals.contract import DecisionAnswer
    from interlock.approvals.desk import read_decision
    from interlock.canonical import jsonable
    from interlock.errors import CallerError, DecisionRefused, GraphFailed, InterlockError, said
    from interlock.workflows.contract import (
        MessageAnswer,
        PendingApprovals,
        RejudgeAnswer,
        RunRequest,
        RunResult,
        RunStatus,
        Usage,
    )
    from interlock.workflows.session import Session


class HostsAgent:
    """A workflow that hosts an agent: its signals, updates and queries, and `host`.

    Subclass it to put an agent into a workflow of your own::

        @workflow.defn
        class SupportCase(HostsAgent):
            @workflow.run
            async def run(self, case: Case) -> CaseResult:
                result = await self.host(RunRequest(agent="support", input=case.message))
    """

    def __init__(self) -> None:
        self._session = Session(self.continued)

    def continued(self, request: RunRequest) -> list[Any]:
        """Return the workflow's arguments when it continues as new with `request`.

        Override it when your `run` takes something else than a `RunRequest`.
        """
        return [request]

    async def host(self, request: Any) -> RunResult:
        """Run the agent to its end and return how it ended.

        Args:
            request: A `RunRequest`, or a caller's JSON that should be one.

        Raises:
            ApplicationError: the run failed; its type is a code of the error tree.
            ContinueAsNewError: history is long; call `host` first and let it pass through.
        """
        try:
            return await self._session.run(request)
        except InterlockError as error:
            raise failure(error) from error
        except FailureError:
            raise
        except Exception as error:
            # Any other exception would fail the workflow task, which is tried again for ever.
            unexpected = GraphFailed(said(error), cause=type(error).__name__)
            raise failure(unexpected) from error

    @workflow.signal
    async def decide(self, decision: Any) -> None:
        """Take a decision (`Decision` as JSON). A refusal changes nothing and is recorded."""
        await self._session.mailbox.take_decision(decision)

    @workflow.update
    async def submit_decision(self, decision: Any) -> DecisionAnswer:
        """Take a decision and say whether it counts, and if not, why."""
        update = workflow.current_update_info()
        sending = update.id if update else ""
        return await self._session.mailbox.take_decision(decision, sending)

    @submit_decision.validator
    def _check_decision(self, decision: Any) -> None:
        try:
            read_decision(decision)
        except DecisionRefused as error:
            raise failure(error) from error

    @workflow.update
    async def rejudge(self) -> RejudgeAnswer:
        """Judge what waits once more, by the policy of today, and only toward more care."""
        return RejudgeAnswer(requests=await self._session.mailbox.rejudge())

    @workflow.signal
    async def send_message(self, message: Any) -> None:
        """Give a conversation its next message: text, or a role/content object."""
        await self._session.mailbox.take_message(message)

    @workflow.update
    async def submit_message(self, message: Any) -> MessageAnswer:
        """Give a conversation its next message and say whether it was taken."""
        return await self._session.mailbox.take_message(message)

    @submit_message.validator
    def _check_message(self, message: Any) -> None:
        try:
            self._session.mailbox.check_message(message)
        except CallerError as error:
            raise failure(error) from error

    @workflow.signal
    async def cancel_run(self, reason: str = "") -> None:
        """Stop the current call, end the run as cancelled and say why."""
        self._session.mailbox.cancel(reason)

    @workflow.query
    def status(self) -> RunStatus:
        """What the run is doing, and who can move it."""
        return self._session.status()

    @workflow.query
    def pending_approvals(self) -> PendingApprovals:
        """Requests that wait for a decision, oldest first."""
        return self._session.pending()

    @workflow.query
    def transcript(self) -> list[dict[str, Any]]:
        """The messages of the graph's state, in LangChain's JSON form."""
        return self._session.transcript()

    @workflow.query
    def state(self) -> dict[str, Any]:
        """The graph's state as of the last superstep, as plain JSON without its messages."""
        return self._session.values()

    @workflow.query
    def graph(self) -> str:
        """The graph as Mermaid text, with the current node lit."""
        return self._session.picture()

    @workflow.query
    def usage(self) -> Usage:
        """Model and tool calls, tokens and cost so far."""
        return self._session.usage()


# Unsandboxed: all that this module imports is passed through anyway (docs/decisions/0003), and the
# sandbox would load it anew for each run and wrap every `isinstance` of the graph's own code.
@workflow.defn(name="AgentWorkflow", sandboxed=False)
class AgentWorkflow(HostsAgent):
    """One durable run or conversation with one agent. The input is a `RunRequest`."""

    @workflow.run
    async def run(self, request: Any) -> RunResult:
        """Run the agent; a conversation continues as new when its history is long."""
        # Read by the session and not by the data converter, which would fail the task over and over.
        return await self.host(request)


def failure(error: InterlockError) -> ApplicationError:
    """Return the error as what fails a run or an update, with its code and details."""
    return ApplicationError(
        error.message, jsonable(error.details), type=error.code, non_retryable=True
    )
