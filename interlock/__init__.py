"""Interlock: LangGraph agents in durable Temporal workflows, with effects that happen once.

The package root imports nothing: it is on every workflow's import path. Import what you need from
its rooms, for example ``from interlock.tools import tool`` or ``from interlock.agents import agent``.
"""

__version__ = "0.1.0"
