"""Temporal's large payloads in the payload store."""

from __future__ import annotations

import dataclasses

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import ExternalStorage, StorageDriverClaim, StorageDriverRetrieveContext

from interlock.audit.external_storage import PayloadDriver
from interlock.audit.payloads import FilePayloadStore
from interlock.errors import PayloadMissing

SMALL, BIG, BIGGER = "s" * 500, "b" * 2000, ["c" * 5000, {"ключ": 1}]


@pytest.fixture
def driver(tmp_path):
    """Give a driver on a folder of files."""
    return PayloadDriver(FilePayloadStore(tmp_path))


@pytest.fixture
def converter(driver):
    """Give a converter that puts away everything from 1 KB."""
    storage = ExternalStorage(drivers=[driver], payload_size_threshold=1024)
    return dataclasses.replace(pydantic_data_converter, external_storage=storage)


def stored(tmp_path):
    """Count the stored payloads."""
    return sum(1 for path in tmp_path.rglob("*") if path.is_file())


async def test_large_payloads_go_to_the_store(converter, tmp_path):
    """Values over the threshold leave a small reference, the others stay, all come back."""
    payloads = await converter.encode([SMALL, BIG, BIGGER])

    assert [payload.ByteSize() < 600 for payload in payloads] == [True, True, True]
    assert stored(tmp_path) == 2
    assert await converter.decode(payloads, [str, str, list]) == [SMALL, BIG, BIGGER]


async def test_equal_payloads_are_stored_once(converter, tmp_path):
    """The same value, sent again and again, is one file."""
    for _ in range(3):
        await converter.encode([BIG, BIG])

    assert stored(tmp_path) == 1


async def test_metadata_order_does_not_matter(driver, tmp_path):
    """Payloads that differ only in the order of their metadata are one file."""
    there = {"encoding": b"json/plain", "messageType": b"x", "a": b"1"}
    back = dict(reversed(there.items()))

    claims = await driver.store(None, [Payload(metadata=m, data=b"d") for m in (there, back)])

    assert claims[0] == claims[1]
    assert stored(tmp_path) == 1


async def test_lost_payload_is_named(converter, tmp_path):
    """Decoding a reference whose file is gone names the reference."""
    payloads = await converter.encode([BIG])
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.unlink()

    with pytest.raises(PayloadMissing):
        await converter.decode(payloads, [str])


async def test_claims_come_back_in_order(driver):
    """Payloads are given back in the order of their references."""
    payloads = [Payload(data=b"%d" % number) for number in range(20)]

    claims = await driver.store(None, payloads)
    found = await driver.retrieve(StorageDriverRetrieveContext(), claims[::-1])

    assert found == payloads[::-1]
    assert claims[0] == StorageDriverClaim({"ref": claims[0].claim_data["ref"]})


def test_names_are_fixed(driver):
    """The driver's names are part of recorded histories and do not change."""
    assert (driver.name(), driver.type()) == ("interlock", "interlock.payloads")
