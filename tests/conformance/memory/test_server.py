"""A Chroma server: what an embedded folder cannot do, and how its absence shows."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import uuid

import pytest

from interlock.context import CallContext
from interlock.errors import ConfigError, StoreUnreachable
from interlock.memory import Get, Put, Search
from interlock.memory.chroma import ChromaMemory
from interlock.memory.embedders import Hashing

CONTEXT = CallContext(agent="tester")

WRITER = """
import asyncio, sys
from interlock.context import CallContext
from interlock.memory import Put
from interlock.memory.chroma import ChromaMemory
from interlock.memory.embedders import Hashing

async def main(url, collection, name):
    async with ChromaMemory(url, Hashing(), collection=collection) as memory:
        for start in range(0, 60, 5):
            puts = [
                Put(namespace=(name,), key=str(n), value={"text": f"{name} {n}"})
                for n in range(start, start + 5)
            ]
            await memory.run_ops_for(puts, CallContext(agent=name))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_several_processes_share_a_server(chroma_url: str) -> None:
    """What two processes write at once into a new collection is all there, and found by meaning."""
    collection = f"t{uuid.uuid4().hex}"
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, chroma_url, collection, name
        )
        for name in ("ann", "bob")
    ]
    assert [await writer.wait() for writer in writers] == [0, 0]
    async with ChromaMemory(chroma_url, Hashing(), collection=collection) as memory:
        everything = Search(namespace_prefix=(), limit=1000)
        by_meaning = Search(namespace_prefix=("bob",), query="bob 17", limit=1)
        found, hits = (await memory.run_ops_for([everything, by_meaning], CONTEXT)).answers
    assert len(found or ()) == 120
    assert [item.key for item in hits or () if not isinstance(item, tuple)] == ["17"]


async def test_two_memories_of_one_process_see_each_other(chroma_url: str) -> None:
    """What one writes the other reads, and closing one leaves the other open."""
    collection = f"t{uuid.uuid4().hex}"
    async with ChromaMemory(chroma_url, Hashing(), collection=collection) as reader:
        async with ChromaMemory(chroma_url, Hashing(), collection=collection) as writer:
            await writer.run_ops_for([Put(namespace=("a",), key="k", value={"n": 1})], CONTEXT)
        answers = (await reader.run_ops_for([Get(namespace=("a",), key="k")], CONTEXT)).answers
    assert answers[0] is not None


async def test_an_absent_server_is_named() -> None:
    """The error has the URL, is retryable, and says how to start a server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(StoreUnreachable, match="chroma run") as caught:
            await ChromaMemory(url, Hashing()).open()
    assert url in caught.value.message
    assert caught.value.retryable


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://host:1", "http://", "http://host:x", "http://host/path"]
)
async def test_a_bad_url_is_refused(url: str) -> None:
    """What is not 'http://host:port' never reaches the network."""
    with pytest.raises(ConfigError, match=r"memory\.url"):
        await ChromaMemory(url, Hashing()).open()


async def test_what_is_no_chroma_server_is_unreachable() -> None:
    """A listener that speaks something else is asked once and then named."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(StoreUnreachable):
            await ChromaMemory(f"http://127.0.0.1:{port}", Hashing()).open()
    assert asked == [b"GET /api/v2/heartbeat HTTP/1.1\r\n"]


async def test_a_server_that_ends(own_server: tuple[str, subprocess.Popen[bytes]]) -> None:
    """A call after the server's end fails as unreachable, and the memory still closes."""
    url, server = own_server
    async with ChromaMemory(url, Hashing()) as memory:
        await memory.run_ops_for([Put(namespace=("a",), key="k", value={"n": 1})], CONTEXT)
        server.terminate()
        server.wait(timeout=30)
        with pytest.raises(StoreUnreachable, match=url):
            await memory.run_ops_for([Get(namespace=("a",), key="k")], CONTEXT)
