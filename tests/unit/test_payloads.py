"""Payloads as plain data, and every place in a history where one may stand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1.external_storage_pb2 import ExternalStorageReference
from temporalio.converter import (
    DataConverter,
    ExternalStorage,
    JSONProtoPayloadConverter,
    StorageDriver,
    StorageDriverClaim,
    StorageDriverRetrieveContext,
    StorageDriverStoreContext,
)

from interlock.errors import ConfigError
from interlock.payloads import first, is_stored, payloads_in, plain, put_back


def payload(text: str, encoding: str = "json/plain") -> Payload:
    """A payload of some encoding."""
    return Payload(metadata={"encoding": encoding.encode()}, data=text.encode())


def reference(key: str, driver: str = "shelf") -> Payload:
    """A payload that is only a reference."""
    found = JSONProtoPayloadConverter().to_payload(
        ExternalStorageReference(driver_name=driver, claim_data={"key": key})
    )
    assert found is not None
    return found


class Shelf(StorageDriver):
    """A store that has one payload for each key."""

    def name(self) -> str:
        return "shelf"

    async def store(
        self, context: StorageDriverStoreContext, payloads: Sequence[Payload]
    ) -> list[StorageDriverClaim]:
        raise NotImplementedError

    async def retrieve(
        self, context: StorageDriverRetrieveContext, claims: Sequence[StorageDriverClaim]
    ) -> list[Payload]:
        return [payload(f'"{claim.claim_data["key"]}"') for claim in claims]


CONVERTER = DataConverter(external_storage=ExternalStorage(drivers=[Shelf()]))


def test_json_null_and_others_are_told_apart() -> None:
    """JSON is decoded; what is no JSON says what it is."""
    assert plain(payload('{"a": [1, null]}')) == {"a": [1, None]}
    assert plain(payload("", "binary/null")) is None
    assert plain(payload("x", "binary/plain")) == {"$payload": "binary/plain"}
    assert plain(reference("k")) == {"$payload": "stored elsewhere"}
    assert first([]) is None
    assert first([payload("1"), payload("2")]) == 1


def scattered() -> HistoryEvent:
    """An event with references in a list, in two kinds of maps, in a failure and in metadata."""
    event = HistoryEvent()
    marker = event.marker_recorded_event_attributes
    marker.details["result"].payloads.extend([reference("details"), payload("0")])
    marker.header.fields["h"].CopyFrom(reference("header"))
    marker.failure.cause.application_failure_info.details.payloads.append(reference("failure"))
    event.user_metadata.summary.CopyFrom(reference("summary"))
    return event


async def test_stored_payloads_are_put_back_wherever_they_stand() -> None:
    """None is left, the others are as they were, and the event is a valid one."""
    event = scattered()
    assert sum(is_stored(item) for item in payloads_in(event)) == 4
    await put_back(event, CONVERTER)
    found = sorted(str(plain(item)) for item in payloads_in(event))
    assert found == ["0", "details", "failure", "header", "summary"]
    assert json_format.Parse(json_format.MessageToJson(event), HistoryEvent()) == event


async def test_an_unknown_store_is_named() -> None:
    """The message says which store, and what to do."""
    event = HistoryEvent()
    event.user_metadata.summary.CopyFrom(reference("k", driver="attic"))
    with pytest.raises(ConfigError, match=r"store 'attic'.*interlock history"):
        await put_back(event, CONVERTER)
    with pytest.raises(ConfigError, match="store 'attic'"):
        await put_back(event, DataConverter())
