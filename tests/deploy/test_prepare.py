"""The commands that a deployment runs before the services: streams and search attributes."""

from __future__ import annotations

import asyncio
import os
import sys

import nats as nats_client
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

from deploy.local.engines import Nats, Temporal
from shared.contracts.events import STREAM_OF
from tests.harness import connect
from workflows import search_attributes


async def run(module: str, **settings: str) -> tuple[int | None, str]:
    """Runs a module with these settings alone; returns its exit status and what it wrote."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CHOT_", "TEMPORAL_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        env=inherited | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), timeout=60)
    return process.returncode, output.decode()


async def test_streams_are_made_and_making_them_again_changes_nothing(nats: Nats) -> None:
    for _ in range(2):
        status, output = await run("shared.bus_ensure", CHOT_NATS_URL=nats.url)
        assert status == 0, output
    connection = await nats_client.connect(nats.url)
    try:
        streams = await connection.jetstream().streams_info()
    finally:
        await connection.close()
    assert {stream.config.name for stream in streams} == set(STREAM_OF.values())


async def test_more_replicas_than_servers_are_refused_with_a_sentence(nats: Nats) -> None:
    status, output = await run("shared.bus_ensure", CHOT_NATS_URL=nats.url, CHOT_NATS_REPLICAS="3")
    assert status == 1
    assert "The streams could not be ensured" in output
    assert "replicas > 1 not supported" in output


async def test_search_attributes_are_registered_and_registering_them_again_changes_nothing(
    temporal_server: Temporal,
) -> None:
    for _ in range(2):
        status, output = await run("workflows.ensure_search_attributes", TEMPORAL_ADDRESS=temporal_server.url)
        assert status == 0, output
    client = await connect(temporal_server)
    held = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    assert {key.name for key in search_attributes.ALL} <= set(held.custom_attributes)
