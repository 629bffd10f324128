"""Lines that a person types, read without stopping the rest of the program."""

from __future__ import annotations

import asyncio
import sys


async def ask_line(prompt: str) -> str:
    """Return the next line of standard input; '' at its end. Cancelling it stops the waiting."""
    print(prompt, end="", flush=True)
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sys.stdin, ready.set)
    try:
        await ready.wait()
    except asyncio.CancelledError:
        print()  # what is shown next begins on a line of its own
        raise
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()
