"""Requests and decisions in LangChain's schema, for clients that were made for it.

`langchain.agents.middleware.human_in_the_loop` is the schema; its types are used as they are.
"""

from __future__ import annotations

from langchain.agents.middleware.human_in_the_loop import (
    ActionRequest,
    Decision,
    DecisionType,
    HITLRequest,
    HITLResponse,
    ReviewConfig,
)

from interlock.approvals.contract import ApprovalRequest
from interlock.errors import BadInput, DecisionRefused
from interlock.inbox.deciding import Choice
from interlock.workflows.runtime import Runtime

_VERBS: tuple[DecisionType, ...] = ("approve", "edit", "reject", "respond")


def request_of(request: ApprovalRequest, runtime: Runtime) -> HITLRequest:
    """Return one of our requests as LangChain's: one action with its review config.

    Raises:
        BadInput: it asks what became of an effect, which that schema cannot say.
    """
    if request.kind == "outcome":
        raise BadInput(
            "this request asks what became of an effect: LangChain's schema has no words for it. "
            "Decide with happened, did_not_happen or abort."
        )
    name = request.tool or "question"
    arguments = request.arguments if request.tool else {"question": request.payload}
    tool = runtime.tools.get(request.tool)
    config = ReviewConfig(
        action_name=name, allowed_decisions=[verb for verb in _VERBS if verb in request.allowed]
    )
    if tool is not None:
        config["args_schema"] = tool.contract.parameters
    action = ActionRequest(name=name, args=arguments, description=request.why)
    return HITLRequest(action_requests=[action], review_configs=[config])


def choice_of(response: HITLResponse, request: ApprovalRequest, digest: str) -> Choice:
    """Return the choice that LangChain's response makes.

    Raises:
        BadInput: it has not exactly one decision.
        DecisionRefused: the edit names another tool.
    """
    decisions = response["decisions"]
    if len(decisions) != 1:
        raise BadInput(f"this request has one action; {len(decisions)} decisions were sent.")
    return _choice(decisions[0], request, digest)


def _choice(decision: Decision, request: ApprovalRequest, digest: str) -> Choice:
    if decision["type"] == "approve":
        return Choice(verb="approve", digest=digest)
    if decision["type"] == "edit":
        action = decision["edited_action"]
        if action["name"] != request.tool:
            raise DecisionRefused(
                f"the edit names tool {action['name']!r}, the request is for {request.tool!r}. "
                "Reject this one and let the agent ask for the other.",
                code="BAD_ARGUMENTS",
                request_id=request.id,
            )
        return Choice(verb="edit", digest=digest, arguments=action["args"])
    if decision["type"] == "reject":
        return Choice(verb="reject", digest=digest, comment=decision.get("message", ""))
    return Choice(verb="respond", digest=digest, result=decision["message"])
