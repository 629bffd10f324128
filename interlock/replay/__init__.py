"""Replay, inspect and debug recorded runs, from a server or a file.

A replay needs today's agents, tools and workflows, and none of their I/O: no Chroma, no database,
no provider library.
"""

from interlock.replay.breakpoints import StopReport, stop_at
from interlock.replay.comparison import Change, Divergence
from interlock.replay.debug import DebugReport, DoorCall, StateChange, Superstep, supersteps
from interlock.replay.history import History, dump, export, fetch, parse, read_file, runs
from interlock.replay.reader import StepReader, follow, read_steps
from interlock.replay.replayer import Code, ReplayReport, load_code, replay
from interlock.replay.steps import Step, Totals, totals

__all__ = [
    "Change",
    "Code",
    "DebugReport",
    "Divergence",
    "DoorCall",
    "History",
    "ReplayReport",
    "StateChange",
    "Step",
    "StepReader",
    "StopReport",
    "Superstep",
    "Totals",
    "dump",
    "export",
    "fetch",
    "follow",
    "load_code",
    "parse",
    "read_file",
    "read_steps",
    "replay",
    "runs",
    "stop_at",
    "supersteps",
    "totals",
]
