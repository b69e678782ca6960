"""Everything that people, sources and other services do to the same few numbers, at random and at once: nobody is told of an
error of ours, the database never has to end one of two that lock one another out, and what is left is in order."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
from uuid_utils.compat import uuid7

from services.leads.changes.merged_orders import Absorber
from services.leads.changes.overtaken import OvertakenReleaser
from services.leads.distributor import Distributor
from services.leads.transfers.work import Transfers
from shared.consumer import NotYet
from shared.contracts.base import Contract
from shared.contracts.events.base import EventType
from shared.contracts.events.orders import (
    INTERACTION_LOGGED,
    LEVEL_CHANGED,
    ORDER_MERGED,
    REASSIGNMENT_REQUESTED,
    InteractionLogged,
    LevelChanged,
    OrderMerged,
    ReassignmentRequested,
)
from tests.harness import Running
from tests.integration.leads.company import NOW, Colleague, hire, pool
from tests.integration.leads.imports_support import upload, work, workbook

NUMBERS: Final = [f"09123456{place:02}" for place in range(20)]
LEVELS: Final = ("L1", "L1.1", "L1.2", "L1.3", "L1.4", "L1.5", "L5", "L5.3", "L7", "L7.1", "L8")
WEEK: Final = timedelta(days=7)
TOLD: Final = {200, 201, 202, 204, 400, 403, 404, 409, 410, 412, 422, 428}
"""What may be answered: done, or why not. Besides, 503 with Retry-After."""

# What must hold of the tables whenever nobody writes; each finds what does not.
IN_ORDER: Final = {
    "held and waiting": "SELECT id FROM leads JOIN backlog ON lead_id = id WHERE owner_id IS NOT NULL OR verdict <> 'lead'",
    "floating and waiting": "SELECT id FROM leads JOIN backlog ON lead_id = id WHERE floating_since IS NOT NULL",
    "another owner than the last assignment says": """
        SELECT l.id FROM leads l LEFT JOIN assignments a ON a.lead_id = l.id AND a.assignment = l.assignment
        WHERE l.assignment > 0 AND l.verdict = 'lead' AND a.owner_id IS DISTINCT FROM l.owner_id""",
    "an assignment that is missing": """
        SELECT lead_id FROM assignments GROUP BY lead_id HAVING count(*) <> max(assignment)""",
    "a window of no lead": """
        SELECT w.phone FROM duplicate_windows w JOIN leads l ON l.id = w.anchor_id
        WHERE NOT w.ended AND l.verdict = 'duplicate'""",
}


@dataclass
class World:
    """A company in which everybody works at once.

    Args:
        chance: what is done, to which leads.
    """

    leads: Running
    chance: random.Random
    people: list[Colleague] = field(default_factory=list)
    clients: list[httpx.AsyncClient] = field(default_factory=list)
    pools: list[dict[str, Any]] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    sequence: int = 1

    async def open(self) -> None:
        self.people = await hire(self.leads, *(f"NV{place:03}" for place in range(5)))
        admin = await self.leads.client(code="QL001")
        self.pools = [
            await pool(admin, self.people[:3], name="Mỹ phẩm", products=["KEM"], capacity=6),
            await pool(admin, self.people[2:], name="Chung", day_quota=500),
        ]
        self.clients = [admin]
        for person in self.people[:-1]:  # the last comes and goes, and is signed out by that
            self.clients.append(await self.leads.client(account_id=person.id, code=person.code))
        for number in NUMBERS[:6]:
            await self.post(number)

    def number(self) -> str:
        wanted = self.chance.choice(NUMBERS)
        return wanted if self.chance.random() < 0.7 else f"{wanted} - {self.chance.choice(NUMBERS)}"

    def lead(self) -> str:
        return self.chance.choice(self.known)

    def some(self) -> list[str]:
        return list(dict.fromkeys(self.lead() for _ in range(self.chance.randint(2, 8))))

    def person(self) -> Colleague:
        return self.chance.choice(self.people)

    async def call(
        self, method: str, path: str, body: Any = None, *, by: httpx.AsyncClient | None = None, **headers: str
    ) -> httpx.Response:
        client = by or self.chance.choice(self.clients)
        answer = await client.request(method, path, json=body, headers=headers)
        shape = "/".join("…" if len(part) == 36 else part for part in path.split("?")[0].split("/"))
        self.answers[f"{method} {shape} {answer.status_code}"] += 1
        may_come_again = answer.status_code == 503 and "retry-after" in answer.headers
        if answer.status_code not in TOLD and not may_come_again:
            self.wrong.append(f"{method} {path} {body}: {answer.status_code} {answer.text}")
        return answer

    async def hear(self, event_type: EventType, *told: Contract) -> None:
        """Facts of other services, as a batch of the consumer has them; what comes too early comes again."""
        try:
            for data in told:
                await self.leads.receive(event_type, data, subject=str(uuid7()))
        except NotYet:
            self.answers["not yet"] += 1

    # --- what happens

    async def post(self, number: str | None = None) -> None:
        body = {"phone": number or self.number(), "product": self.chance.choice(("KEM", "SERUM", ""))}
        answer = await self.call("POST", "/v1/leads", body)
        if answer.status_code == 201:
            self.known.append(answer.json()["id"])

    async def batch(self) -> None:
        body = {"leads": [{"phone": self.number()} for _ in range(8)]}
        await self.call("POST", "/v1/leads/batch", body, **{"Idempotency-Key": str(uuid7())})

    async def import_list(self) -> None:
        async with asyncio.timeout(60):
            made = await upload(
                self.clients[0], workbook([(self.number(), str(uuid7())) for _ in range(20)], ("SĐT", "Tên"))
            )
            await work(self.leads, made.json()["id"])

    async def assign(self) -> None:
        await self.call("POST", f"/v1/leads/{self.lead()}/assign", {"owner_id": str(self.person().id)})

    async def reassign(self) -> None:
        to = self.chance.choice(("person", "pools", "floating_pool"))
        body = {"lead_ids": self.some(), "to": to, "reason": "đổi người chăm"}
        await self.call(
            "POST", "/v1/leads/reassign", body | ({"owner_id": str(self.person().id)} if to == "person" else {})
        )

    async def distribute(self) -> None:
        people = [{"account_id": str(person.id)} for person in self.chance.sample(self.people, 2)]
        by = self.chance.choice(self.clients)
        plan = await self.call("POST", "/v1/distributions", {"lead_ids": self.some(), "people": people}, by=by)
        if plan.status_code == 201:
            await self.call("POST", f"/v1/distributions/{plan.json()['id']}/confirm", {"reason": "chia tay"}, by=by)

    async def hand_over(self) -> None:
        leaver, receiver = self.chance.sample(self.people, 2)
        by_pools = self.chance.random() < 0.5
        body: dict[str, Any] = {"from_id": str(leaver.id), "strategy": "pools" if by_pools else "people"}
        by, to = self.chance.choice(self.clients), [{"account_id": str(receiver.id)}]
        plan = await self.call("POST", "/v1/hand-overs", body | ({} if by_pools else {"people": to}), by=by)
        if plan.status_code == 201:
            await self.call("POST", f"/v1/hand-overs/{plan.json()['id']}/confirm", {"reason": "nghỉ việc"}, by=by)

    async def claim(self) -> None:
        floating = await self.leads.rows("SELECT id FROM leads WHERE floating_since IS NOT NULL ORDER BY id LIMIT 3")
        lead = str(self.chance.choice(floating).id) if floating else self.lead()
        if self.chance.random() < 0.5:
            await self.call("POST", f"/v1/floating-pool/{lead}/view")
        await self.call("POST", f"/v1/floating-pool/{lead}/claim")

    async def merge(self) -> None:
        await self.call("POST", f"/v1/leads/{self.lead()}/merge", {"other_id": self.lead(), "reason": "một khách"})

    async def correct(self) -> None:
        lead = self.lead()
        seen = await self.call("GET", f"/v1/leads/{lead}")
        values = self.chance.choice(
            ({"phone": self.number()}, {"other_phones": [self.number()]}, {"product": "KEM"}, {"name": "Lan"})
        )
        tag = seen.headers.get("ETag", '"1"')
        await self.call("PATCH", f"/v1/leads/{lead}", {**values, "reason": "đọc lại số"}, **{"If-Match": tag})

    async def release(self) -> None:
        await self.call("POST", f"/v1/leads/{self.lead()}/release-duplicate", {"reason": "hai người"})

    async def spam(self) -> None:
        lead = self.lead()
        if self.chance.random() < 0.5:
            await self.call("POST", f"/v1/leads/{lead}/spam", {"kind": "fake", "reason": "số ảo"})
        else:
            await self.call("POST", f"/v1/leads/{lead}/not-spam", {"reason": "số thật"})

    async def bulk(self) -> None:
        action: dict[str, Any] = self.chance.choice(
            ({"kind": "spam", "spam": "test", "reason": "số thử"}, {"kind": "note", "text": "xem lại"})
        )
        await self.call("POST", "/v1/leads/bulk", {"action": action, "ids": self.some()})

    async def do_not_call(self) -> None:
        said = {"source": "customer", "reason": "khách yêu cầu"}
        if self.chance.random() < 0.5:
            await self.call("POST", "/v1/do-not-call", {"phones": self.chance.sample(NUMBERS, 4), **said})
        else:
            await self.call("POST", "/v1/do-not-call/remove", {"phone": self.chance.choice(NUMBERS), **said})

    async def consent(self) -> None:
        act = self.chance.choice(("given", "withdrawn"))
        body = {"phone": self.chance.choice(NUMBERS), "act": act, "purposes": ["requested_call"], "how": "điện thoại"}
        await self.call("POST", "/v1/consents", body)

    async def edit_pool(self) -> None:
        chosen = self.chance.choice(self.pools)
        seen = await self.call("GET", f"/v1/pools/{chosen['id']}")
        members = [
            {"account_id": str(person.id), "weight": self.chance.randint(1, 3)}
            for person in self.chance.sample(self.people, 3)
        ]
        tag = seen.headers.get("ETag", '"1"')
        await self.call("PUT", f"/v1/pools/{chosen['id']}/members", {"members": members}, **{"If-Match": tag})

    async def duty(self) -> None:
        await self.person().duty(self.chance.random() < 0.7)

    async def leave(self) -> None:
        person = self.people[-1]
        await person.change(active=False)
        await person.change()

    async def levels(self) -> None:
        for lead in self.some()[:3]:
            self.sequence += 1
            was, to = self.chance.sample(LEVELS, 2)
            change = LevelChanged(
                transition_id=uuid7(), order_id=UUID(lead), sequence=self.sequence, from_level=was, to_level=to, at=NOW,
                recorded_at=NOW, cause="operator", cohort_at=NOW,
            )  # fmt: skip
            await self.hear(LEVEL_CHANGED, change)

    async def merged_orders(self) -> None:
        younger, older = self.some()[:2] if len(self.known) > 1 else (self.lead(), self.lead())
        await self.hear(
            ORDER_MERGED, OrderMerged(order_id=UUID(younger), into_id=UUID(older), at=NOW, reason="một khách")
        )

    async def called(self) -> None:
        made = InteractionLogged(
            interaction_id=uuid7(), order_id=UUID(self.lead()), kind="call", direction="out", at=NOW
        )
        await self.hear(INTERACTION_LOGGED, made)

    async def take_away(self) -> None:
        lead = self.lead()
        (row,) = await self.leads.rows("SELECT assignment FROM leads WHERE id = :id", id=UUID(lead))
        to: Any = self.chance.choice(("another", "floating_pool"))
        request = ReassignmentRequested(
            order_id=UUID(lead), assignment=row.assignment, to=to, reason="chưa gọi", at=NOW
        )
        await self.hear(REASSIGNMENT_REQUESTED, request)

    async def background(self) -> None:
        """What the role `consumer` does beside the events, here by several at once."""
        db = self.leads.db
        for step in (
            Distributor(db, zone="Asia/Ho_Chi_Minh").step,
            Transfers(db).step,
            OvertakenReleaser(db, window=WEEK).step,
            Absorber(db, window=WEEK).step,
        ):
            for _ in range(5):
                if not await step():
                    break

    def happenings(self) -> Sequence[tuple[Callable[[], Awaitable[None]], int]]:
        """What happens, and how often beside the others."""
        return (
            (self.post, 12), (self.batch, 4), (self.import_list, 1), (self.assign, 6), (self.reassign, 6),
            (self.distribute, 4), (self.hand_over, 2), (self.claim, 6), (self.merge, 8), (self.correct, 10),
            (self.release, 5), (self.spam, 4), (self.bulk, 3), (self.do_not_call, 4), (self.consent, 2),
            (self.edit_pool, 3), (self.duty, 4), (self.leave, 1), (self.levels, 8), (self.merged_orders, 3),
            (self.called, 2), (self.take_away, 5), (self.background, 8),
        )  # fmt: skip

    async def live(self, happenings: int, *, together: int) -> None:
        kinds, weights = zip(*self.happenings(), strict=True)
        plan = iter(self.chance.choices(kinds, weights, k=happenings))

        async def one_after_the_other() -> None:
            for happens in plan:
                await happens()

        await asyncio.gather(*(one_after_the_other() for _ in range(together)))
        await self.background()


async def deadlocks(leads: Running) -> int:
    """How often the database had to end one of two that locked one another out."""
    (row,) = await leads.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(row.deadlocks)


@pytest.mark.parametrize(
    ("seed", "happenings"),
    [(1, 250), *(pytest.param(seed, 2_000, marks=pytest.mark.soak) for seed in (2, 3, 4))],
)
async def test_whatever_happens_at_once_nobody_is_told_of_an_error_and_nothing_is_left_in_disorder(
    leads: Running, seed: int, happenings: int
) -> None:
    world = World(leads, random.Random(seed))
    await world.open()

    await world.live(happenings, together=16)

    print({name: world.answers[name] for name in sorted(world.answers)})
    assert world.wrong == [], "\n".join(world.wrong)
    assert await deadlocks(leads) == 0
    for what, sql in IN_ORDER.items():
        assert [row[0] for row in await leads.rows(sql)] == [], what
