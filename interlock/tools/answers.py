"""Answers of tools that change nothing, kept for a while for all processes of a machine.

Answers are kept as JSON text and never pickled. Each carries the generation of its tags as it was
before the call: to forget a tag is to count its generation up, so that an answer whose call was
under way then is forgotten too. A cache that cannot be used is logged, and the tool is called.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Awaitable
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import diskcache
from pydantic import BaseModel

from interlock.canonical import digest
from interlock.tools.contract import Cache, ToolCall, ToolContract

_BROKEN = (OSError, sqlite3.Error, diskcache.Timeout, ValueError)

_log = logging.getLogger(__name__)


class Found(BaseModel):
    """What the cache says of a call that is about to be made."""

    key: str
    generations: dict[str, int]
    """Of the tool's tags, before the call."""
    is_hit: bool = False
    answer: Any = None


class AnswerCache(Protocol):
    """Where answers are kept."""

    def find(self, key: str, terms: Cache) -> Awaitable[Found]:
        """Look an answer up."""
        ...

    def keep(self, found: Found, answer: Any, terms: Cache) -> Awaitable[None]:
        """Keep the answer of a call that was looked up in vain."""
        ...


def answer_key(contract: ToolContract, call: ToolCall, arguments: dict[str, Any]) -> str:
    """Return what equal questions of one tenant have in common, and no others."""
    return digest([contract.name, contract.version, call.context.tenant, arguments])


class DiskAnswers:
    """An `AnswerCache` in a folder; any number of processes may share it.

    Args:
        folder: Created with the first answer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def find(self, key: str, terms: Cache) -> Found:
        """Look an answer up; one that cannot be read is no answer."""
        try:
            return await asyncio.to_thread(self._find, key, terms)
        except _BROKEN as error:
            _log.warning("the cache of answers was not read: %s", error)
            return Found(key="", generations={})

    async def keep(self, found: Found, answer: Any, terms: Cache) -> None:
        """Keep an answer, if it can be."""
        if not found.key:
            return
        kept = json.dumps({"generations": found.generations, "answer": answer})
        try:
            await asyncio.to_thread(self._cache.set, found.key, kept, terms.ttl_seconds)
        except _BROKEN as error:
            _log.warning("an answer was not cached: %s", error)

    async def forget(self, tag: str) -> None:
        """Forget every answer with a tag, of all tools and tenants."""
        await asyncio.to_thread(self._cache.incr, f"tag:{tag}")

    def close(self) -> None:
        """Close the files."""
        if "_cache" in self.__dict__:
            self._cache.close()

    @cached_property
    def _cache(self) -> Any:
        return diskcache.Cache(str(self._folder))

    def _find(self, key: str, terms: Cache) -> Found:
        now = {tag: int(self._cache.get(f"tag:{tag}", 0)) for tag in terms.tags}
        text = self._cache.get(key)
        if isinstance(text, str):
            kept = json.loads(text)
            if kept["generations"] == now:
                return Found(key=key, generations=now, is_hit=True, answer=kept["answer"])
        return Found(key=key, generations=now)
