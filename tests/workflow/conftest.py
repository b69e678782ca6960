"""The time-skipping Temporal server, with the product's workflows and real services on real PostgreSQL around it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from deploy.local.engines import Nats, time_skipping_server_path
from services.orders.app import SERVICE
from services.orders.clock import CLOCK
from shared.temporal import plugin
from tests.harness import Databases, running
from tests.integration.orders.support import Shop, staffed
from tests.workflow.world import SkippingClock, World
from workflows import search_attributes
from workflows.worker import build_worker


@pytest.fixture
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A time-skipping server of the test's own: it has one clock for everything on it."""
    env = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(time_skipping_server_path()), plugins=[plugin()]
    )
    async with env:
        # This server knows how to add search attributes but not how to list them.
        wanted = {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in search_attributes.ALL}
        await env.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=env.client.namespace, search_attributes=wanted)
        )
        yield env


@pytest.fixture
async def world(databases: Databases, nats: Nats, skipping: WorkflowEnvironment) -> AsyncIterator[World]:
    """A shop whose care runs in workflows: orders with its relay and activities, and the workflow worker."""
    async with (
        running(SERVICE, databases, nats=nats, temporal=skipping.client, filled=staffed) as service,
        build_worker(skipping.client),
    ):
        clock = SkippingClock()
        service.runtime.state[CLOCK] = clock
        service.start("relay", "activities")
        yield World(await Shop.open(service, clock), clock, skipping)
