"""The command: `python -m bench [--quick] [--only PART ...] [--json] [--write FILE]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bench.measure import PARTS, measure
from bench.part import Tell
from bench.plan import FULL, QUICK, SMOKE
from bench.report import show


def main() -> None:
    """Measure, and say what came of it."""
    options = _options()
    with _own_stdout():
        report = asyncio.run(measure(options.plan, options.only, _progress()))
    if options.write:
        from bench.documents import write  # late: it draws, and most runs do not

        write(report, options.write)
    if options.json:
        print(json.dumps(report))
    else:
        show(report, Console())


def _options() -> argparse.Namespace:
    parts = "; ".join(f"{part.name}: {part.about}" for part in PARTS.values())
    parser = argparse.ArgumentParser(prog="python -m bench", description=f"Parts: {parts}.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--quick",
        dest="plan",
        action="store_const",
        const=QUICK,
        help="one short round of everything",
    )
    size.add_argument(
        "--smoke",
        dest="plan",
        action="store_const",
        const=SMOKE,
        help="one run of everything: shows that it works, the figures mean nothing",
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help="these parts"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the sections of what was measured into FILE, with data and plots beside it",
    )
    parser.set_defaults(plan=FULL)
    return parser.parse_args()


def _progress() -> Tell:
    began = time.monotonic()

    def tell(line: str) -> None:
        seconds = int(time.monotonic() - began)
        print(f"{seconds // 60:3}:{seconds % 60:02} {line}", file=sys.stderr, flush=True)

    return tell


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
