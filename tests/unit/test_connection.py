"""How failures are written: with codes of the tree, and small whatever was raised."""

from __future__ import annotations

from pathlib import Path

from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from interlock.connection import data_converter
from interlock.errors import StoreUnwritable
from interlock.settings import Settings


async def written(error: BaseException, folder: Path) -> Failure:
    """What Temporal keeps of an error."""
    failure = Failure()
    await data_converter(Settings(project_dir=folder)).encode_failure(error, failure)
    return failure


async def test_no_failure_is_too_large_to_be_reported(tmp_path: Path) -> None:
    """Megabytes of text in an error, and in its causes, leave kilobytes."""
    try:
        try:
            raise KeyError("k" * 5_000_000)
        except KeyError as cause:
            raise ApplicationError("m" * 5_000_000, type="GRAPH_FAILED") from cause
    except ApplicationError as error:
        failure = await written(error, tmp_path)
    assert failure.ByteSize() < 100_000
    assert failure.application_failure_info.type == "GRAPH_FAILED"
    assert failure.message.startswith("mmm")
    assert "5000000 characters" in failure.message
    assert failure.cause.application_failure_info.type == "KeyError"


async def test_an_error_of_the_tree_keeps_its_code(tmp_path: Path) -> None:
    """Where no activity or workflow turned it into Temporal's, as in the payload store."""
    failure = await written(StoreUnwritable("no space"), tmp_path)
    assert failure.application_failure_info.type == "STORE_UNWRITABLE"
    assert failure.message == "no space"
