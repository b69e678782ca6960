"""Temporal: one plugin for every client, worker and replayer, and activities checked against their references."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, NoReturn, TypeVar, get_type_hints

import temporalio.client
import temporalio.converter
import temporalio.worker
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.plugin import SimplePlugin
from temporalio.service import ServiceClient

from shared.contracts.activities import ActivityRef
from shared.contracts.base import Contract
from shared.telemetry import correlated, correlation_id, logger

log = logger(__name__)

CORRELATION_HEADER: Final = "chot-correlation-id"
GRACE: Final = timedelta(seconds=5)
"""What a worker gives its running activities when it stops; the SDK's default is none."""

ArgT = TypeVar("ArgT", bound=Contract)
ResultT = TypeVar("ResultT", bound=Contract)

_payloads = temporalio.converter.PayloadConverter.default


def _encode(value: str) -> Payload:
    return _payloads.to_payloads([value])[0]


def _decode(headers: Mapping[str, Payload]) -> str | None:
    payload = headers.get(CORRELATION_HEADER)
    return _payloads.from_payloads([payload], [str])[0] if payload is not None else None


class _ClientOutbound(temporalio.client.OutboundInterceptor):
    async def start_workflow(
        self, input: temporalio.client.StartWorkflowInput
    ) -> temporalio.client.WorkflowHandle[Any, Any]:
        input.headers = {**input.headers, CORRELATION_HEADER: _encode(correlation_id())}
        return await super().start_workflow(input)


class _ActivityInbound(temporalio.worker.ActivityInboundInterceptor):
    async def execute_activity(self, input: temporalio.worker.ExecuteActivityInput) -> Any:
        info = activity.info()
        with correlated(
            _decode(input.headers) or str(info.workflow_id), causation=f"{info.workflow_id}/{info.activity_id}"
        ):
            log.debug("activity", activity=info.activity_type, workflow_id=info.workflow_id, attempt=info.attempt)
            return await super().execute_activity(input)


class _WorkflowOutbound(temporalio.worker.WorkflowOutboundInterceptor):
    def start_activity(self, input: temporalio.worker.StartActivityInput) -> workflow.ActivityHandle[Any]:
        header = workflow.info().headers.get(CORRELATION_HEADER)
        if header is not None:
            input.headers = {**input.headers, CORRELATION_HEADER: header}
        return super().start_activity(input)

    def continue_as_new(self, input: temporalio.worker.ContinueAsNewInput) -> Any:
        header = workflow.info().headers.get(CORRELATION_HEADER)
        if header is not None:
            input.headers = {**input.headers, CORRELATION_HEADER: header}
        return super().continue_as_new(input)


class _WorkflowInbound(temporalio.worker.WorkflowInboundInterceptor):
    def init(self, outbound: temporalio.worker.WorkflowOutboundInterceptor) -> None:
        super().init(_WorkflowOutbound(outbound))


class CorrelationInterceptor(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """Carries the correlation id from whoever starts a workflow to each of its activities."""

    def intercept_client(self, next: temporalio.client.OutboundInterceptor) -> temporalio.client.OutboundInterceptor:
        return _ClientOutbound(next)

    def intercept_activity(
        self, next: temporalio.worker.ActivityInboundInterceptor
    ) -> temporalio.worker.ActivityInboundInterceptor:
        return _ActivityInbound(next)

    def workflow_interceptor_class(
        self, input: temporalio.worker.WorkflowInterceptorClassInput
    ) -> type[temporalio.worker.WorkflowInboundInterceptor]:
        return _WorkflowInbound


def plugin() -> SimplePlugin:
    """What every client, worker and replayer shares, so that tests and replay cannot differ from production."""
    return SimplePlugin("chot", data_converter=pydantic_data_converter, interceptors=[CorrelationInterceptor()])


async def connect() -> Client:
    """A client from the environment (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, TLS and API key), connected on first use,
    so that a process starts while Temporal is away."""
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "127.0.0.1:7233")
    return await Client.connect(**config, lazy=True, plugins=[plugin()])


async def connected(client: Client) -> Client:
    """A client like this one that is connected now: the SDK refuses lazy ones for workers.

    Raises:
        RuntimeError: Temporal cannot be reached.
    """
    lazy = client.service_client.config
    if not lazy.lazy:
        return client
    config = client.config()
    config["service_client"] = await ServiceClient.connect(dataclasses.replace(lazy, lazy=False))
    return Client(**config)


def check(client: Client) -> Callable[[], Awaitable[None]]:
    """A check that raises unless Temporal answers; a client that has never connected tries to."""

    async def answers() -> None:
        if not await client.service_client.check_health():
            raise ConnectionError("Temporal runs but does not serve yet")

    return answers


def leave(status: int) -> NoReturn:
    """Ends a process right after its last call of Temporal, without the interpreter's clean-up.

    The SDK's own threads may still hold the interpreter while it is taken down, which aborts the process with signal 6
    (temporalio/sdk-python#300; measured: 8 of 20 processes that end right after a call).
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def ensure_search_attributes(client: Client, keys: Sequence[SearchAttributeKey[Any]]) -> None:
    """Registers search attributes that are missing; runs before any worker, because a workflow that sets an unknown one
    hangs in its task.

    Raises:
        RuntimeError: one exists with another type.
    """
    service = client.operator_service
    existing = await service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    missing: dict[str, Any] = {}
    for key in keys:
        wanted = IndexedValueType.ValueType(key.indexed_value_type)
        held = existing.custom_attributes.get(key.name)
        if held is None:
            missing[key.name] = wanted
        elif held != wanted:
            raise RuntimeError(f"Search attribute {key.name} exists with type {held}, not {wanted}: remove it first.")
    if missing:
        await service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Tells Temporal all the while that this activity's process lives, so that it is tried again elsewhere soon after a
    crash, and not when all of its time is over. For activities whose reference has a heartbeat time-out."""
    timeout = activity.info().heartbeat_timeout
    assert timeout is not None, "the activity's reference has no heartbeat time-out"

    async def beat() -> None:
        while True:
            await asyncio.sleep(timeout.total_seconds() / 3)
            activity.heartbeat()

    beats = asyncio.create_task(beat())
    try:
        yield
    finally:
        beats.cancel()


def implements(
    ref: ActivityRef[ArgT, ResultT],
) -> Callable[[Callable[..., Awaitable[ResultT]]], Callable[..., Awaitable[ResultT]]]:
    """Registers a method or function as the implementation of an activity reference, and checks its types at import.

    Raises:
        TypeError: it takes or returns something else than the reference says.
    """

    def register(fn: Callable[..., Awaitable[ResultT]]) -> Callable[..., Awaitable[ResultT]]:
        hints = get_type_hints(fn)
        parameters = [name for name in inspect.signature(fn).parameters if name != "self"]
        if len(parameters) != 1 or hints[parameters[0]] is not ref.arg or hints.get("return") is not ref.result:
            raise TypeError(
                f"{fn.__qualname__} must take one {ref.arg.__name__} and return {ref.result.__name__}: "
                f"that is activity {ref.name}."
            )
        return activity.defn(name=ref.name)(fn)

    return register
