"""A third party: `python -m bench.third_party` says `ready ADDRESS`, then a line for each call.

It takes effects, and answers as an OpenAI-compatible model. A call whose key begins with `held-` has
no answer the first time: a worker that is killed is killed in it. It ends when its standard input
does.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from collections import Counter

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

HELD = "held-"
"""Beginning of the keys whose first call has no answer."""

_CALLS: Counter[str] = Counter()


async def take_effect(request: Request) -> Response:
    """Take an effect."""
    await _take(request.path_params["key"], request)
    return JSONResponse({})


async def think(request: Request) -> Response:
    """Answer as a model; the last message is the key."""
    asked = await request.json()
    await _take(asked["messages"][-1]["content"], request)
    message = {"role": "assistant", "content": "Done."}
    return JSONResponse(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    )


async def _take(key: str, request: Request) -> None:
    print(json.dumps({"key": key, "at": time.monotonic()}), flush=True)
    _CALLS[key] += 1
    if key.startswith(HELD) and _CALLS[key] == 1:
        while (await request.receive())["type"] != "http.disconnect":
            pass


def main() -> None:
    """Serve until standard input ends."""
    routes = [
        Route("/effects/{key}", take_effect, methods=["POST"]),
        Route("/v1/chat/completions", think, methods=["POST"]),
    ]
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=routes), log_level="warning", access_log=False)
    )

    async def serve(listening: socket.socket) -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await asyncio.to_thread(sys.stdin.read)
        serving.cancel()
        os._exit(0)  # calls that are held have no end

    with socket.create_server(("127.0.0.1", 0)) as listening:
        # It takes connections from here on, so the line is true when it is read.
        print(f"ready http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        asyncio.run(serve(listening))


if __name__ == "__main__":
    main()
