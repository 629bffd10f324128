"""Search of the shop's help pages, for agents that choose their tools themselves."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from interlock.agents import Store
from interlock.tools import Effect, tool


class Passage(BaseModel):
    """A part of a help page."""

    model_config = ConfigDict(frozen=True)

    document: str
    title: str
    text: str
    score: float


@tool(effect=Effect.READ, local=True, timeout_seconds=5, labels="document")
async def knowledge_search(
    query: Annotated[str, Field(min_length=3, max_length=300, description="What to look for.")],
) -> list[Passage]:
    """Search the help pages for rules on refunds, returns, shipping, accounts and products."""
    found = await Store().asearch(("knowledge",), query=query, limit=3)
    return [
        Passage(
            document=item.value["document"],
            title=item.value["title"],
            text=item.value["text"],
            score=round(item.score or 0.0, 3),
        )
        for item in found
    ]
