"""Payloads of a history as plain data, and stored payloads put back in their place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.converter import (
    DataConverter,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
)

from interlock.errors import ConfigError

_PAYLOAD = Payload.DESCRIPTOR.full_name
_REFERENCE = ExternalStorageReference.DESCRIPTOR.full_name.encode()


def plain(payload: Payload) -> Any:
    """Return a payload as JSON data; `{"$payload": encoding}` for one that is no JSON."""
    encoding = payload.metadata.get("encoding", b"").decode(errors="replace")
    if encoding == "binary/null":
        return None
    if encoding == "json/plain":
        return json.loads(payload.data)
    return {"$payload": "stored elsewhere" if is_stored(payload) else encoding}


def first(payloads: Sequence[Payload]) -> Any:
    """Return the first of the payloads as JSON data, or None when there is none."""
    return plain(payloads[0]) if payloads else None


def is_stored(payload: Payload) -> bool:
    """Whether the history keeps only a reference to this payload."""
    return payload.metadata.get("messageType") == _REFERENCE


def payloads_in(message: Message) -> Iterator[Payload]:
    """Yield every payload of a message, however deep."""
    for field, value in message.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        for item in _items(field, value):
            if isinstance(item, Payload):
                yield item
            elif isinstance(item, Message):
                yield from payloads_in(item)


async def put_back(message: Message, converter: DataConverter) -> None:
    """Replace every reference to a stored payload by the payload, in place.

    Raises:
        ConfigError: the client that read the history does not know the store.
        PayloadMissing: the store does not have one of them.
    """
    for payload in [item for item in payloads_in(message) if is_stored(item)]:
        reference = ExternalStorageReference()
        json_format.Parse(payload.data, reference)
        driver = _driver(converter, reference.driver_name)
        claim = StorageDriverClaim(dict(reference.claim_data))
        found = await driver.retrieve(StorageDriverRetrieveContext(), [claim])
        payload.CopyFrom(found[0])


def _items(field: FieldDescriptor, value: Any) -> list[Any]:
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    if is_map:
        return list(value.values())
    return [value] if isinstance(value, Message) else list(value)


def _driver(converter: DataConverter, name: str) -> StorageDriver:
    storage = converter.external_storage
    for driver in storage.drivers if storage else ():
        if driver.name() == name:
            return driver
    raise ConfigError(
        f"this history keeps payloads in the store {name!r}, which this client does not know. "
        "Connect with `interlock.connection.connect`, or use a history that `interlock history` "
        "exported: it holds them itself."
    )
