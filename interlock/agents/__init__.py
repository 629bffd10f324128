"""Agents: LangGraph graphs under a name, and what their nodes use."""

from interlock.agents.spec import Agent, agent
from interlock.memory.store import Store
from interlock.models.chat import ChatModel, model
from interlock.workflows import ids
from interlock.workflows.activity_node import activity_node

ids.install()  # before a module of an agent imports one of the functions by name

__all__ = ["Agent", "ChatModel", "Store", "activity_node", "agent", "model"]
