"""How this deployment reaches Temporal: data converter, address and client."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import (
    PydanticJSONPlainPayloadConverter,
    PydanticPayloadConverter,
)
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    ExternalStorage,
    PayloadConverter,
    SerializationContext,
    StorageDriverStoreContext,
)
from temporalio.envconfig import ClientConfig
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import RPCError

from interlock.audit.external_storage import PayloadDriver
from interlock.audit.payloads import FilePayloadStore
from interlock.errors import (
    ConfigError,
    InterlockError,
    TemporalUnreachable,
    shortened,
    without_secrets,
)
from interlock.settings import Settings

PAYLOAD_THRESHOLD = 128 * 1024
"""Bytes over which a payload goes to the payload store instead of the history."""

_TRACEBACK = 20_000

_DEFAULT_ADDRESS = "localhost:7233"
_UP_FILE = "up.json"


class _Json(PydanticJSONPlainPayloadConverter):
    """Reads a model by the model itself: an adapter for it would be made anew again and again."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        if isinstance(type_hint, type) and issubclass(type_hint, BaseModel):
            return type_hint.model_validate_json(payload.data)
        return super().from_payload(payload, type_hint)


_json = _Json()
_CONVERTERS = tuple(
    _json if isinstance(converter, PydanticJSONPlainPayloadConverter) else converter
    for converter in PydanticPayloadConverter().converters.values()
)


class SharedConverters(CompositePayloadConverter):
    """The SDK's pydantic converters, made once for the process.

    The SDK makes a payload converter for each activity and each workflow task; with converters of
    its own it would cost more than what it converts.
    """

    def __init__(self) -> None:
        super().__init__(*_CONVERTERS)

    def with_context(self, context: SerializationContext) -> Self:
        """Return this: nothing here depends on where a payload belongs."""
        return self


class ShortFailures(DefaultFailureConverter):
    """Writes failures with the codes of the error tree, and of bounded length whatever was raised.

    Messages and tracebacks do not go to the payload store, and a failure over Temporal's limit of
    2 MB is never taken: the workflow task that reports it would be tried for ever.
    """

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        """Convert an exception and, each by a call of its own, its causes."""
        super().to_failure(exception, payload_converter, failure)
        failure.message = shortened(without_secrets(failure.message))
        failure.stack_trace = shortened(without_secrets(failure.stack_trace), _TRACEBACK)
        if isinstance(exception, InterlockError):
            failure.application_failure_info.type = exception.code


class SharedDataConverter(DataConverter):
    """The converter that all workflows and activities share.

    The SDK asks for one of its own for each payload, so that converters and storage drivers know
    where it belongs; ours do not look.
    """

    def with_context(self, context: SerializationContext) -> Self:
        """Return this."""
        return self

    def _with_store_context(self, store_ctx: StorageDriverStoreContext) -> DataConverter:
        return self


def data_folder(settings: Settings) -> Path:
    """Return the folder of databases, payloads and logs, relative paths below the project."""
    return (settings.project_dir / settings.data_dir).resolve()


def payload_store(settings: Settings) -> FilePayloadStore:
    """Return the store of transcripts and large payloads."""
    return FilePayloadStore(data_folder(settings) / "payloads")


def answers_folder(settings: Settings) -> Path:
    """Return the folder of tools' kept answers."""
    return data_folder(settings) / "answers"


def data_converter(settings: Settings) -> DataConverter:
    """Return the converter that callers, workers and replays of this deployment share."""
    driver = PayloadDriver(payload_store(settings))
    storage = ExternalStorage(drivers=[driver], payload_size_threshold=PAYLOAD_THRESHOLD)
    return SharedDataConverter(
        payload_converter_class=SharedConverters,
        failure_converter_class=ShortFailures,
        external_storage=storage,
    )


def note_server(settings: Settings, address: str | None, ui: str | None = None) -> None:
    """Write down the server that `interlock up` started here; None removes the note."""
    path = data_folder(settings) / _UP_FILE
    if address is None:
        path.unlink(missing_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"address": address, "ui": ui}), encoding="utf-8")


def noted_server(settings: Settings) -> dict[str, Any]:
    """Return `address` and `ui` of the server that `interlock up` started here, or {}."""
    path = data_folder(settings) / _UP_FILE
    if not path.is_file():
        return {}
    noted: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return noted


def server_address(settings: Settings) -> str:
    """Return the address: settings, Temporal's environment or profile, `interlock up`, default."""
    profile = ClientConfig.load_client_connect_config()
    noted = noted_server(settings).get("address")
    return str(settings.temporal.address or profile.get("target_host") or noted or _DEFAULT_ADDRESS)


def metrics_runtime(settings: Settings) -> Runtime | None:
    """Return a runtime of the SDK that serves metrics where the settings say; None for nowhere.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    address = settings.telemetry.metrics_address
    if address is None:
        return None
    metrics = PrometheusConfig(
        bind_address=address, counters_total_suffix=True, durations_as_seconds=True
    )
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=metrics))
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"no metrics can be served at {address!r}: {_reason(error)}. Set "
            "'telemetry.metrics_address' (INTERLOCK_TELEMETRY__METRICS_ADDRESS) to the IP address and "
            "a free port of this machine: each worker here needs one of its own.",
            address=address,
        ) from error


async def connect(
    settings: Settings, interceptors: Sequence[Interceptor] = (), *, runtime: Runtime | None = None
) -> Client:
    """Connect to the Temporal server of the deployment, with the SDK's default runtime or another.

    Raises:
        TemporalUnreachable: nothing answers at the address; the message says how to start one.
    """
    address = server_address(settings)
    options: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    options |= {"target_host": address, "namespace": settings.temporal.namespace}
    try:
        return await Client.connect(
            **options,
            data_converter=data_converter(settings),
            interceptors=interceptors,
            runtime=runtime,
        )
    except (RPCError, RuntimeError) as error:
        raise TemporalUnreachable(
            f"no Temporal server answers at {address!r}: {_reason(error)}. Start one with "
            "`interlock up`, or set temporal.address in interlock.toml or TEMPORAL_ADDRESS.",
            address=address,
        ) from error


def _reason(error: Exception) -> str:
    """The innermost cause: the SDK prints Rust's nested errors, each with its text in quotes."""
    quoted = re.findall(r'"([^"]+)"', str(error))
    return quoted[-1] if quoted else str(error)
