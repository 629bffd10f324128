"""The table of langchain's stock middleware: how each is made, and what shows that it was at work."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import (
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    FilesystemFileSearchMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolEmulator,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    PIIMiddleware,
    ProviderToolSearchMiddleware,
    ShellToolMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    ToolErrorMiddleware,
    ToolRetryMiddleware,
)

from interlock.agents import Agent, agent, model
from interlock.errors import InterlockError, ToolUnavailable
from interlock.tools import Effect, tool
from tests.graphs import pay, price_of

ATTEMPTS = 4
"""How often Temporal makes one model call before the graph hears that it failed."""
TRIED: Counter[str] = Counter()
"""Calls of `stock_of`, by article."""


@tool(effect=Effect.READ, attempts=1)
async def stock_of(article: str) -> int:
    """Say how much of an article there is; the shelf of 'retried' is found the second time."""
    TRIED[article] += 1
    if article == "refused" or (article == "retried" and TRIED[article] == 1):
        raise ToolUnavailable(f"the shelf of {article!r} is locked")
    return 3


@dataclass(frozen=True)
class Trace:
    """What a finished run shows."""

    why: str
    """Why a person was asked about the payment."""
    prompts: dict[str, list[str]]
    """Prompts of the answered model calls, by role, each as one text."""
    failed: Counter[str]
    """Attempts at model calls that failed, by role."""
    told: dict[str, str]
    """What the model was told of each tool call."""
    first: str
    """Text of the first message that is left in the state."""


@dataclass(frozen=True)
class Row:
    """A middleware that runs."""

    make: Callable[[], Any]
    seen: Callable[[Trace], bool]
    """Whether it was at work, and did what it is for."""
    role: str = "fast"
    account: str = "once"
    reply: str = "Done."


def _explained(error: Exception, _request: Any) -> str | None:
    return error.message if isinstance(error, InterlockError) else None


RUNS: dict[str, Row] = {
    "ContextEditingMiddleware": Row(
        lambda: ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=0)]),
        lambda run: "[cleared]" in run.prompts["fast"][-1] and "[cleared]" not in run.told["c0"],
    ),
    "HumanInTheLoopMiddleware": Row(
        lambda: HumanInTheLoopMiddleware(interrupt_on={"pay": True}),
        lambda run: run.why.startswith("Tool execution requires approval"),
    ),
    "LLMToolEmulator": Row(
        lambda: LLMToolEmulator(tools=["price_of"], model=model("emulator")),
        lambda run: len(run.prompts["emulator"]) == 2 and run.told["c0"] == "a made-up price",
    ),
    "LLMToolSelectorMiddleware": Row(
        lambda: LLMToolSelectorMiddleware(model=model("selector")),
        lambda run: len(run.prompts["selector"]) == 2,
    ),
    "ModelCallLimitMiddleware": Row(
        lambda: ModelCallLimitMiddleware(run_limit=1),
        lambda run: len(run.prompts["fast"]) == 1,
        reply="Model call limits exceeded: run limit (1/1)",
    ),
    "ModelFallbackMiddleware": Row(
        lambda: ModelFallbackMiddleware(model("strong")),
        lambda run: run.failed["replaced"] == ATTEMPTS and len(run.prompts["strong"]) == 1,
        role="replaced",
    ),
    "ModelRetryMiddleware": Row(
        lambda: ModelRetryMiddleware(max_retries=1, initial_delay=0.01),
        lambda run: run.failed["retried"] == ATTEMPTS and len(run.prompts["retried"]) == 2,
        role="retried",
    ),
    "PIIMiddleware": Row(
        lambda: PIIMiddleware("email", strategy="redact"),
        lambda run: "ann@" not in str(run.prompts) and "[REDACTED_EMAIL]" in run.first,
    ),
    "ProviderToolSearchMiddleware": Row(
        ProviderToolSearchMiddleware,
        lambda run: len(run.prompts["fast"]) == 2,  # it hands on what nobody deferred
    ),
    "SummarizationMiddleware": Row(
        lambda: SummarizationMiddleware(
            model=model("summariser"), trigger=("messages", 3), keep=("messages", 2)
        ),
        lambda run: (
            "pay once" in run.prompts["summariser"][0]
            and "They asked to pay." in run.prompts["fast"][-1]
            and "pay once" not in run.prompts["fast"][-1]
            and run.first.endswith("They asked to pay.")
        ),
    ),
    "TodoListMiddleware": Row(
        TodoListMiddleware, lambda run: "`write_todos`" in run.prompts["fast"][0]
    ),
    "ToolCallLimitMiddleware": Row(
        lambda: ToolCallLimitMiddleware(tool_name="price_of", run_limit=1),
        lambda run: run.told["c0"] == "4" and "limit exceeded" in run.told["c2"],
    ),
    "ToolErrorMiddleware": Row(
        lambda: ToolErrorMiddleware(_explained),
        lambda run: "the shelf of 'refused' is locked" in run.told["c3"],
        account="refused",
    ),
    "ToolRetryMiddleware": Row(
        lambda: ToolRetryMiddleware(max_retries=1, initial_delay=0.01),
        lambda run: run.told["c3"] == "3" and TRIED["retried"] == 2,
        account="retried",
    ),
}
"""Middleware that runs and replays."""

REFUSED: dict[str, Callable[[], Any]] = {
    "FilesystemFileSearchMiddleware": lambda: FilesystemFileSearchMiddleware(root_path="."),
    "ShellToolMiddleware": ShellToolMiddleware,
}
"""Middleware whose tools would do I/O inside the workflow."""

ONE_LINERS: dict[str, Any] = {
    "selector": {"json": {"tools": ["pay", "price_of", "stock_of"]}},
    "summariser": {"text": "They asked to pay."},
    "emulator": {"text": "a made-up price"},
}
"""What the helpers' models answer, whatever they are asked."""


def hosting(name: str, middleware: Any, role: str = "fast") -> Agent:
    """An agent with one middleware, and a model of one role."""
    tools = [pay, price_of, stock_of]
    return agent(
        name,
        lambda: create_agent(model(role), tools=tools, middleware=[middleware], name=name),
    )


def message(account: str) -> str:
    """What a customer writes."""
    return f"pay {account} for ann@example.com"


def calls(account: str) -> list[dict[str, Any]]:
    """What the model asks for: two prices, a payment, and the stock where a row needs it."""
    found = [
        {"name": "price_of", "args": {"article": "lamp"}, "id": "c0"},
        {"name": "pay", "args": {"account": account, "amount": 4}, "id": "c1"},
        {"name": "price_of", "args": {"article": "rug"}, "id": "c2"},
        {"name": "stock_of", "args": {"article": account}, "id": "c3"},
    ]
    return found[:3] if account == "once" else found


def script() -> dict[str, Any]:
    """The same conversation for each account."""
    conversations: dict[str, Any] = {}
    for account in ("retried", "refused", "once"):
        steps = [
            {"expect": {"role": "human"}, "answer": {"tool_calls": calls(account)}},
            {"expect": {"role": "tool"}, "answer": {"text": "Done."}},
        ]
        when = account if account != "once" else ""  # also what is left of it after a summary
        conversations[account] = {"when": when, "pick": "match", "steps": steps}
    return {"conversations": conversations}


@contextmanager
def unreliable_provider() -> Iterator[str]:
    """Run a server of OpenAI's form where each path fails as often as a model call is tried."""
    asked: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked[self.path] += 1
            if asked[self.path] <= ATTEMPTS:
                self._send(500, {"error": {"message": "overloaded"}})
            else:
                self._send(200, _completion(body["messages"]))

        def _send(self, status: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _completion(messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": "Done."}
    if messages[-1]["role"] != "tool":
        made = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["args"])},
            }
            for call in calls("once")
        ]
        said = {"role": "assistant", "content": None, "tool_calls": made}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "unreliable",
        "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
