"""A company in a test: colleagues as staff tells of them, pools, leads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from uuid_utils.compat import uuid7

from shared.contracts.events.orders import LevelChanged, ReassignmentRequested
from shared.contracts.events.staff import ACCOUNT_CHANGED, DUTY_CHANGED, AccountChanged, DutyChanged
from tests.harness import Running

NOW = datetime(2026, 11, 21, 2, tzinfo=UTC)


@dataclass
class Colleague:
    """Somebody who works here; staff's versions of the account and of the duty switch grow with each change."""

    leads: Running
    code: str
    superior_id: UUID | None = None
    id: UUID = field(default_factory=uuid7)
    version: int = 0
    duty_version: int = 0

    async def change(self, *, active: bool = True) -> None:
        self.version += 1
        account = AccountChanged(
            account_id=self.id,
            version=self.version,
            code=self.code,
            name=f"Tên {self.code}",
            department="sale",
            group="sale",
            superior_id=self.superior_id,
            active=active,
            at=NOW,
        )
        await self.leads.receive(ACCOUNT_CHANGED, account, subject=self.id)

    async def duty(self, on: bool) -> None:
        self.duty_version += 1
        switch = DutyChanged(account_id=self.id, version=self.duty_version, on_duty=on, at=NOW)
        await self.leads.receive(DUTY_CHANGED, switch, subject=self.id)


async def hire(leads: Running, *codes: str, on_duty: bool = True, superior: Colleague | None = None) -> list[Colleague]:
    """Colleagues with an account, on duty or not."""
    people = [Colleague(leads, code, superior.id if superior else None) for code in codes]
    for person in people:
        await person.change()
        if on_duty:
            await person.duty(True)
    return people


async def pool(
    client: httpx.AsyncClient,
    people: list[Colleague],
    *,
    name: str = "Nhóm chung",
    weights: list[int] | None = None,
    **rules: Any,
) -> dict[str, Any]:
    """A pool of these colleagues, `capacity` being everybody's bound."""
    capacity = rules.pop("capacity", None)
    members = [
        {"account_id": str(person.id), "weight": weight, "capacity": capacity}
        for person, weight in zip(people, weights or [1] * len(people), strict=True)
    ]
    answer = await client.post("/v1/pools", json={"name": name, "members": members, **rules})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def post(client: httpx.AsyncClient, phone: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/v1/leads", json={"phone": phone, **fields})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def owner_of(client: httpx.AsyncClient, lead: dict[str, Any]) -> str | None:
    """Staff code of a lead's owner."""
    answer = (await client.get(f"/v1/leads/{lead['id']}")).json()
    return answer["owner"]["code"] if answer["owner"] else None


async def put_on_list(client: httpx.AsyncClient, *phones: str, **fields: Any) -> None:
    body = {"phones": list(phones), "reason": "khiếu nại 21/11", **fields}
    answer = await client.post("/v1/do-not-call", json=body)
    assert answer.status_code == 201, answer.text


def level(lead: dict[str, Any], to: str, sequence: int = 2, *, at: datetime = NOW) -> LevelChanged:
    """What orders tells when an order moves on from L1."""
    return LevelChanged(
        transition_id=uuid7(),
        order_id=UUID(lead["id"]),
        sequence=sequence,
        from_level="L1",
        to_level=to,
        at=at,
        recorded_at=at,
        cause="operator",
        cohort_at=NOW,
    )


def reassignment(lead: dict[str, Any], assignment: int, to: Any = "another") -> ReassignmentRequested:
    """What orders asks for when somebody has not called."""
    return ReassignmentRequested(
        order_id=UUID(lead["id"]), assignment=assignment, to=to, reason="quá 30 phút chưa gọi", at=NOW
    )
