"""A small HTTP server that serves one file the way a good, a bad or a broken hub does."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from interlock.errors import PayloadMissing
from interlock.models.catalogue import ModelFile, Source, Url

CONTENT = bytes(range(256)) * 2048
"""Half a megabyte: more than the socket buffers hold, so a broken transfer really breaks."""


class Hub:
    """A local file server; its fields say how it behaves and what it was asked."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.ranges = True
        self.break_after: int | None = None
        """Close the connection after this many bytes of the next transfer."""
        self.status: int | None = None
        self.asked: list[str | None] = []
        """The Range header of each request."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/model.bin"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        if self.status:
            request.send_error(self.status)
            return
        start = 0
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                request.send_error(416)
                return
            request.send_response(206)
            end = len(self.content)
            request.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        else:
            request.send_response(200)
        body = self.content[start:]
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        cut, self.break_after = self.break_after, None
        request.wfile.write(body[:cut])
        request.close_connection = True


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Run a local hub for one test."""
    server = Hub()
    thread = threading.Thread(
        target=server.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    yield server
    server.server.shutdown()
    server.server.server_close()
    thread.join()


@pytest.fixture
def model_file(hub: Hub) -> Callable[..., ModelFile]:
    """Make a catalogue row whose bytes are the hub's, unless said otherwise."""

    def make(*sources: Source, content: bytes = CONTENT) -> ModelFile:
        return ModelFile(
            name="tiny",
            file_name="tiny.bin",
            purpose="test",
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            licence="Apache-2.0",
            sources=sources or (Url(url=hub.url),),
        )

    return make


@pytest.fixture
def wheel(tmp_path: Path) -> Callable[[str, dict[str, bytes]], Path]:
    """Write a wheel with data files into a folder that pip can find it in."""

    def make(name: str, members: dict[str, bytes]) -> Path:
        shelf = tmp_path / "shelf"
        shelf.mkdir(exist_ok=True)
        path = shelf / f"{name}-1.0-py3-none-any.whl"
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return shelf

    return make


class MemoryPayloads:
    """A payload store in a dictionary that counts its reads."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.reads = 0

    async def put(self, data: bytes) -> str:
        """Store bytes under their hash."""
        ref = hashlib.sha256(data).hexdigest()
        self.data[ref] = data
        return ref

    async def get(self, ref: str) -> bytes:
        """Return stored bytes."""
        self.reads += 1
        if ref not in self.data:
            raise PayloadMissing(f"Payload {ref!r} is not in the test's store.", ref=ref)
        return self.data[ref]


@pytest.fixture
def payloads() -> MemoryPayloads:
    """Give an empty payload store."""
    return MemoryPayloads()
