"""Bindings in a payload store: a run sends one once, and refers to it afterwards."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from pydantic import ValidationError

from interlock.errors import PayloadMissing
from interlock.models.contract import Binding, PayloadStore

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

_KEPT = 256
"""Bindings that a process remembers: few agents have more than a handful."""


class BindingStore:
    """Writes and reads bindings, each once in a process as long as it is in use."""

    def __init__(self, payloads: PayloadStore) -> None:
        self._payloads = payloads
        self._refs: OrderedDict[bytes, str] = OrderedDict()
        self._bindings: OrderedDict[str, Binding] = OrderedDict()

    async def put(self, binding: Binding) -> str:
        """Store a binding and return its reference."""
        # In the order of the keys as they came: a model writes its answer in a schema's order.
        data = binding.model_dump_json(by_alias=True).encode()
        ref = self._refs.get(data) or await self._payloads.put(data)
        _remember(self._refs, data, ref)
        _remember(self._bindings, ref, binding)
        return ref

    async def get(self, ref: str) -> Binding:
        """Return the binding of a reference.

        Raises:
            PayloadMissing: it is not in the store, or is no binding.
        """
        binding = self._bindings.get(ref) or _read(ref, await self._payloads.get(ref))
        _remember(self._bindings, ref, binding)
        return binding


def _read(ref: str, data: bytes) -> Binding:
    try:
        return Binding.model_validate_json(data)
    except ValidationError as error:
        raise PayloadMissing(f"Payload {ref!r} is not a binding: {error}", ref=ref) from error


def _remember(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > _KEPT:
        kept.popitem(last=False)
