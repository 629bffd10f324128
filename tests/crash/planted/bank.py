"""A bank as a process of its own: ``python bank.py FILE [SECONDS]``.

It takes every wire it gets, knows nothing of keys, and writes each down before it answers. With
SECONDS, the first wire is answered only after that time. It ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BOOK = Path(sys.argv[1])
FIRST_TAKES = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
WRITING = threading.Lock()


def wires() -> list[dict[str, Any]]:
    """Every wire, oldest first."""
    lines = BOOK.read_text(encoding="utf-8").splitlines() if BOOK.exists() else []
    return [json.loads(line) for line in lines]


class Counter(BaseHTTPRequestHandler):
    """Takes wires and shows them."""

    def do_GET(self) -> None:
        """All wires, as a list."""
        self._answer(wires())

    def do_POST(self) -> None:
        """One more wire."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with WRITING:
            made = {"id": len(wires()) + 1, **asked}
            with BOOK.open("a", encoding="utf-8") as book:
                book.write(json.dumps(made) + "\n")
                book.flush()
                os.fsync(book.fileno())
        if made["id"] == 1:
            time.sleep(FIRST_TAKES)
        with suppress(BrokenPipeError):  # nobody waits for a late answer
            self._answer(made)

    def _answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
        """Say nothing."""


def end_with_input() -> None:
    """End with the process that started it."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    server.serve_forever()
