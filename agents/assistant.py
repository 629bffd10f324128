"""A second agent: `create_agent` with the same tools, for models that choose tools themselves."""

from __future__ import annotations

from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware

from interlock.agents import agent, model
from interlock.errors import ToolUnavailable
from tools.contracts import TOOLS
from tools.knowledge import knowledge_search

_INSTRUCTIONS = """You are the support assistant of Harbour Lane, a small web shop. Look orders up \
before you act on them. Search the knowledge before you state a policy. Ask for what is missing. \
When a tool answers with an error, read it and put it right, or tell the customer."""

assistant = agent(
    "assistant",
    lambda: create_agent(
        model("strong"),
        tools=[*TOOLS, knowledge_search],
        system_prompt=_INSTRUCTIONS,
        middleware=[ToolRetryMiddleware(max_retries=2, retry_on=(ToolUnavailable,))],
        name="assistant",
    ),
    description="Chooses its tools itself; needs a model that can.",
)
