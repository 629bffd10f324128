"""Agents in Temporal workflows: the doors, the host and `AgentWorkflow`. Safe in a workflow.

This package imports nothing by itself: `interlock.workflows.agent` is loaded in the sandbox, and what
it passes through has to be named one by one.
"""
