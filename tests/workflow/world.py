"""A shop in simulated time: the clock of the service is the clock of the time-skipping server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from tests.harness import eventually
from tests.integration.orders.support import Clock, Person, Shop

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass
class SkippingClock(Clock):
    """In an activity the server's own time; elsewhere the time to which the test has gone.

    `behind` says how much later than the server thinks an activity runs, as if workers had been away: the server does
    not skip time while one waits for a worker.
    """

    behind: timedelta = timedelta()

    def __call__(self) -> datetime:
        return activity.info().started_time + self.behind if activity.in_activity() else self.now


@dataclass
class World:
    """A shop and the time in which it works."""

    shop: Shop
    clock: SkippingClock
    env: WorkflowEnvironment

    async def settle(self) -> None:
        """Until everything that was written has reached Temporal and the workflows have looked at it."""

        async def settled() -> bool:
            rows = await self.shop.service.rows(
                "SELECT 1 FROM outbox WHERE destination = 'command' AND status = 'pending' "
                "UNION ALL SELECT 1 FROM care WHERE seen_version < version "
                "UNION ALL SELECT 1 FROM rescue_calls WHERE waiting AND seen_version < version"
            )
            return not rows

        await eventually(settled, what="the workflows have seen everything")
        self.shop.clock.now = await self.env.get_current_time()

    async def go_to(self, at: datetime) -> None:
        """Lets time pass until an instant; everything that falls due on the way happens."""
        await self.settle()
        # The server does not skip while a workflow or an activity runs, so this ends after they did.
        await self.env.sleep(max(at - await self.env.get_current_time(), timedelta()))
        await self.settle()

    async def wait(self, **delta: float) -> None:
        await self.go_to(self.shop.clock.now + timedelta(**delta))

    async def monday_morning(self) -> None:
        """The next Monday that is no holiday, 09:00 in Vietnam."""
        local = (await self.env.get_current_time()).astimezone(VIETNAM)
        monday = (local + timedelta(days=7 - local.weekday())).replace(hour=9, minute=0, second=0, microsecond=0)
        await self.go_to(monday)

    async def number(self, to: Person | None = None, **fields: Any) -> UUID:
        """A number arrives and somebody holds it."""
        order_id = await self.shop.accept(**fields)
        await self.shop.assign(order_id, to or self.shop.sale)
        await self.settle()
        return order_id

    async def task(self, person: Person, *, kind: str = "call") -> dict[str, Any] | None:
        """The task of a person that is due first."""
        tasks = (await person.client.get("/v1/tasks")).json()["items"]
        return next((task for task in tasks if task["kind"] == kind), None)

    async def go_to_task(self, person: Person) -> dict[str, Any]:
        """Waits until a person's next call is due."""
        task = await self.task(person)
        assert task is not None, f"{person.code} has nothing to call"
        await self.go_to(datetime.fromisoformat(task["due_at"]))
        return task

    async def call(self, order_id: UUID, result: str, *, by: Person | None = None, **fields: Any) -> dict[str, Any]:
        """Somebody logs a call, and the workflow looks."""
        answer = await self.shop.call(order_id, result, by=by, **fields)
        assert answer.status_code == 201, answer.text
        await self.settle()
        return dict(answer.json())

    def care(self, order_id: UUID, *, round: int = 1) -> WorkflowHandle[Any, Any]:
        return self.env.client.get_workflow_handle(f"care/{order_id}" + (f"/{round}" if round > 1 else ""))

    async def requests(self, order_id: UUID) -> list[dict[str, Any]]:
        """What orders asked of leads: somebody else, or the floating pool."""
        events = await self.shop.service.outbox("orders.reassignment.requested.v1")
        return [event["payload"] for event in events if event["subject"] == str(order_id)]

    async def promises(self, order_id: UUID) -> list[tuple[str, str]]:
        """Kinds of promises and how they ended, in order."""
        events = await self.shop.service.outbox("orders.promise.ended.v1")
        return [
            (event["payload"]["kind"], event["payload"]["outcome"])
            for event in events
            if event["subject"] == str(order_id)
        ]
