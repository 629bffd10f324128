"""The command: `python -m bench [--quick] [--json] [--write FILE]`."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from bench.machine import commit, machine, versions
from bench.measure import FULL, QUICK, SMOKE, Plan, measure
from bench.report import Report, markdown, ratios, show, write_section


def main() -> None:
    """Measure, and say what came of it."""
    options = _options()
    with _own_stdout():
        report = asyncio.run(_report(options.plan))
    if options.write:
        write_section(options.write, markdown(report))
    if options.json:
        print(json.dumps(report))
    else:
        show(report, Console())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick",
        dest="plan",
        action="store_const",
        const=QUICK,
        help="one short round, about a minute",
    )
    size.add_argument(
        "--smoke",
        dest="plan",
        action="store_const",
        const=SMOKE,
        help="one run of everything: shows that it works, the figures mean nothing",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the results into FILE, between its marks"
    )
    parser.set_defaults(plan=FULL)
    return parser.parse_args()


async def _report(plan: Plan) -> Report:
    loads = {str(concurrency): runs for concurrency, runs in plan.loads.items()}
    origin = {
        "command": f"python -m bench {' '.join(sys.argv[1:])}".strip(),
        "commit": commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(),
        "plan": {**dataclasses.asdict(plan), "loads": loads},
    }
    found = await measure(plan, lambda line: print(line, file=sys.stderr, flush=True))
    return {
        **origin,
        **found,
        "ratios": ratios(found["systems"], found["bytes_per_model_call"]),
    }


@contextmanager
def _own_stdout() -> Iterator[None]:
    """Keep standard output for the report: the Temporal server writes its banner there."""
    sys.stdout.flush()
    kept = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, sys.stdout.fileno())
        os.close(kept)


if __name__ == "__main__":
    main()
