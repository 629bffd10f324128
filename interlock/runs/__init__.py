"""Runs as their callers and reviewers see them: found, asked and decided on through Temporal.

The command line and the inbox share this room; nothing here needs an open application.
"""

from interlock.runs.client import Runs
from interlock.runs.contract import OpenRequest, RunPage, RunSummary
from interlock.runs.filters import RunFilter

__all__ = ["OpenRequest", "RunFilter", "RunPage", "RunSummary", "Runs"]
