"""A sales floor: people whose duty goes on and off while leads come in over HTTP, and what must then be true of who got
which. Everything is judged from what was asked, answered and recorded, without the rules of the product.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import httpx
import orjson

from deploy.local.demo.api import Person
from deploy.local.stack import Stack
from tests.harness import eventually

PATIENCE: Final = 240.0
"""Seconds at most until a sender has an answer on a machine that is busy with something else."""
RETRY: Final = 0.2
LUNCH: Final = (0.35, 0.4, 0.5)
"""Shares of the leads: at the first everybody goes off duty, those from the second to the third find nobody."""
LOOK: Final = 0.1
"""Seconds between two looks at who is shown on duty."""

_DECISIONS: Final = """
SELECT a.lead_id, a.assignment, a.owner_id, a.cause, a.at, a.round, a.position, l.received_at, l.owner_id AS holder_id
FROM assignments a JOIN leads l ON l.id = a.lead_id ORDER BY a.round, a.position
"""
_ACCEPTED: Final = "SELECT CAST(subject AS uuid) AS lead_id, id FROM outbox WHERE type = 'leads.lead.accepted.v1'"
_ROUNDS: Final = "SELECT sequence, at, members::text AS members FROM distribution_rounds ORDER BY sequence"


@dataclass
class Absence:
    """A stretch in which somebody was off duty for sure: from when the screen showed it until they asked to go on."""

    account_id: str
    since: datetime
    until: datetime


@dataclass
class Floor:
    """People in one pool, weighted 1, 2, 3, 1, 2, 3, …"""

    stack: Stack
    admin: Person
    pool_id: str
    people: list[str]
    leads: int
    weights: dict[str, int] = field(default_factory=dict)
    answered: dict[str, str] = field(default_factory=dict)
    """Id of each lead that was answered → its number."""
    absences: list[Absence] = field(default_factory=list)
    repeated: int = 0
    _progress: asyncio.Condition = field(default_factory=asyncio.Condition)
    _shown: dict[str, bool] = field(default_factory=dict)
    _looked: asyncio.Condition = field(default_factory=asyncio.Condition)
    _here: set[str] = field(default_factory=set)
    """Who is on duty or on their way; the screen shows the latter as away still."""
    _everybody_away: bool = False
    _over: bool = False

    async def work(self, *, senders: int, kills: tuple[str, ...]) -> None:
        """All leads come in while everybody toggles and processes are killed; in the end everybody is on duty and all
        leads have somebody."""
        numbers = iter(range(self.leads))
        self._here.update(self.people)
        async with asyncio.TaskGroup() as around:
            looking = around.create_task(self._look())
            async with asyncio.TaskGroup() as group:
                togglers = [group.create_task(self._toggle(person, place)) for place, person in enumerate(self.people)]
                async with asyncio.TaskGroup() as sending:
                    for _ in range(senders):
                        sending.create_task(self._send(numbers))
                    sending.create_task(self._kill(kills))
                self._over = True
                async with self._progress:
                    self._progress.notify_all()
                await asyncio.gather(*togglers)
            await eventually(self._all_held, within=PATIENCE, every=0.2, what="every lead has somebody")
            looking.cancel()

    async def reach(self, count: int) -> None:
        """Waits until so many leads are answered."""
        async with self._progress:
            await self._progress.wait_for(lambda: self._over or len(self.answered) >= count)

    async def _send(self, numbers: Iterator[int]) -> None:
        """A sender that does not give up: it repeats a lead under one key until it is answered."""
        async with httpx.AsyncClient(base_url=self.stack.url("leads"), headers=self._signed, timeout=30) as client:
            for number in numbers:
                await self._lunch()
                phone, key = f"09{number:08}", str(uuid4())
                deadline = time.monotonic() + PATIENCE
                while True:
                    try:
                        answer = await client.post("/v1/leads", json={"phone": phone}, headers={"Idempotency-Key": key})
                        if answer.status_code == 201:
                            break
                        assert answer.status_code == 503, answer.text
                    except httpx.TransportError:
                        pass
                    assert time.monotonic() < deadline, "a lead is not answered"
                    self.repeated += 1
                    await asyncio.sleep(RETRY)
                assert answer.json()["verdict"] == "lead", "a repeated request had an effect of its own"
                self.answered[answer.json()["id"]] = phone
                async with self._progress:
                    self._progress.notify_all()

    @property
    def _signed(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.admin._token}"}

    async def _toggle(self, person: str, place: int) -> None:
        """Somebody goes off and on duty, each after some more leads have come; on in the end."""
        chance = random.Random(place)
        pace = max(2, self.leads // 20)
        await self.reach(chance.randrange(pace))
        while not self._over:
            await self._switch(person, on_duty=False)
            if not await self._shows(person, on_duty=False):
                break
            self._here.discard(person)
            since = datetime.now(UTC)
            await self.reach(len(self.answered) + chance.randrange(1, pace))
            if len(self.answered) >= self._noon:
                await self.reach(int(self.leads * LUNCH[2]))
            self.absences.append(Absence(person, since, datetime.now(UTC)))
            self._here.add(person)
            await self._switch(person, on_duty=True)
            # Seen before the next switch, or the screen's last word could be that of the switch before.
            await self._shows(person, on_duty=True)
            there_until = len(self.answered) + chance.randrange(1, 2 * pace)
            before_lunch = len(self.answered) < self.leads * LUNCH[2]
            await self.reach(min(there_until, self._noon) if before_lunch else there_until)
        await self._switch(person, on_duty=True)

    @property
    def _noon(self) -> int:
        return int(self.leads * LUNCH[0])

    async def _lunch(self) -> None:
        """Holds senders up until nobody is on duty, or about to be: whoever came back a moment later would have them all."""
        if self._everybody_away or len(self.answered) < self.leads * LUNCH[1]:
            return
        async with self._looked:
            # Whoever is told late may find people back already.
            await self._looked.wait_for(
                lambda: self._everybody_away or (not self._here and not any(self._shown.values()))
            )
        self._everybody_away = True

    async def _switch(self, person: str, *, on_duty: bool) -> None:
        async def switched() -> bool:
            try:
                await self.admin.ask("staff", "PUT", f"/v1/accounts/{person}/duty", on_duty=on_duty)
            except httpx.TransportError:
                return False  # an idle connection that the server was just closing
            return True

        await eventually(switched, within=PATIENCE, every=RETRY)

    async def _shows(self, person: str, *, on_duty: bool) -> bool:
        """Waits until the pool's screen shows somebody so; False when the day is over before."""
        async with self._looked:
            await self._looked.wait_for(lambda: self._over or self._shown.get(person) is on_duty)
            return self._shown.get(person) is on_duty

    async def _look(self) -> None:
        """Looks at the screen of the pool again and again."""
        async with httpx.AsyncClient(base_url=self.stack.url("leads"), headers=self._signed, timeout=30) as client:
            while True:
                try:
                    answer = await client.get(f"/v1/pools/{self.pool_id}")
                except httpx.TransportError:
                    answer = None
                if answer is not None and answer.status_code == 200:
                    members = answer.json()["members"]
                    self._shown = {member["account_id"]: member["on_duty"] for member in members}
                    async with self._looked:
                        self._looked.notify_all()
                await asyncio.sleep(LOOK)

    async def _kill(self, victims: tuple[str, ...]) -> None:
        """Kills processes, spread over the time in which leads come in; the stack starts them again."""
        for number, name in enumerate(victims, start=1):
            await self.reach(self.leads * number // (len(victims) + 1))
            await self.stack.child(name).kill()

    async def _all_held(self) -> bool:
        (row,) = await self.rows("SELECT count(*) AS leads, count(owner_id) AS held FROM leads")
        return bool(row["held"] == row["leads"] == self.leads)

    async def rows(self, sql: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.stack.database_url("leads"))
        try:
            return await connection.fetch(sql)
        finally:
            await connection.close()

    async def audit(self) -> dict[str, float]:
        """Everything that must be true of a day; returns figures of it.

        Raises:
            AssertionError: it is not.
        """
        decisions = await self.rows(_DECISIONS)
        rounds = await self.rows(_ROUNDS)
        self._each_has_one_owner(decisions)
        self._nobody_absent_got_any(decisions)
        waited = await self._in_order(decisions)
        worst = self._within_one_of_the_share(decisions, rounds)
        await self._decided_the_same_again()
        return {"rounds": len(rounds), "absences": len(self.absences), "waited": waited, "worst": worst}

    def _each_has_one_owner(self, decisions: list[asyncpg.Record]) -> None:
        owners = Counter(str(row["lead_id"]) for row in decisions)
        assert owners == Counter(dict.fromkeys(self.answered, 1)), "each lead is assigned exactly once"
        assert all(row["owner_id"] == row["holder_id"] for row in decisions)
        assert {row["cause"] for row in decisions} == {"distribution"}

    def _nobody_absent_got_any(self, decisions: list[asyncpg.Record]) -> None:
        off = defaultdict(list)
        for absence in self.absences:
            off[absence.account_id].append(absence)
        wrong = [
            row
            for row in decisions
            if any(absence.since < row["at"] < absence.until for absence in off[str(row["owner_id"])])
        ]
        assert wrong == [], "leads to people off duty"

    async def _in_order(self, decisions: list[asyncpg.Record]) -> int:
        """Whoever came first and waited is served first. A lead waits from when it was accepted; its pool is locked from
        before then, so whatever was accepted before a decision was there when it was made."""
        accepted = {row["lead_id"]: _made_at(row["id"]) for row in await self.rows(_ACCEPTED)}
        coming = sorted(decisions, key=lambda row: accepted[row["lead_id"]])
        waiting: list[tuple[datetime, UUID]] = []
        served: set[UUID] = set()
        place = waited = 0
        for row in decisions:
            while place < len(coming) and accepted[coming[place]["lead_id"]] < row["at"]:
                heappush(waiting, (coming[place]["received_at"], coming[place]["lead_id"]))
                place += 1
            while waiting and waiting[0][1] in served:
                heappop(waiting)
            mine = row["received_at"], row["lead_id"]
            assert not waiting or mine <= waiting[0], "somebody who came later was served before"
            waited += bool(waiting) and mine == waiting[0]
            served.add(row["lead_id"])
        return waited

    def _within_one_of_the_share(self, decisions: list[asyncpg.Record], rounds: list[asyncpg.Record]) -> float:
        """A share accrues only while somebody can take leads: with each decision, their weight among those who can."""
        there = {
            row["sequence"]: [str(entry[0]) for entry in orjson.loads(row["members"]) if entry[3] == "on_duty"]
            for row in rounds
        }
        owed: dict[str, float] = defaultdict(float)
        for row in decisions:
            present = there[row["round"]]
            assert str(row["owner_id"]) in present
            weights = sum(self.weights[person] for person in present)
            for person in present:
                owed[person] += self.weights[person] / weights
            owed[str(row["owner_id"])] -= 1
        worst = max(map(abs, owed.values()))
        assert worst <= 1, f"somebody is {worst:.3f} leads away from their share"
        return worst

    async def _decided_the_same_again(self) -> None:
        after: int | None = 0
        decided = 0
        while after is not None:
            page = await self.admin.get("leads", f"/v1/pools/{self.pool_id}/replay", after=after, limit=2000)
            assert page["differing"] == []
            decided += page["decisions"]
            after = page["next"]
        assert decided == self.leads


def _made_at(id: UUID) -> datetime:
    """When a UUIDv7 was made, at the latest."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC) + timedelta(milliseconds=1)


@asynccontextmanager
async def open_floor(directory: Path, *, people: int, leads: int) -> AsyncIterator[Floor]:
    """Leads, a process for each of its roles, and staff, with people on duty in a pool."""
    async with (
        Stack(directory, ephemeral=True, roles_split=("leads",), programs=("leads", "staff")) as stack,
        httpx.AsyncClient(timeout=60) as http,
    ):
        password = stack.env("staff")["CHOT_BOOTSTRAP_PASSWORD"]
        admin = await Person(http, stack.url, login="admin", password=password).sign_in()
        made = await asyncio.gather(*(_hire(admin, number) for number in range(people)))
        weights = {person: 1 + place % 3 for place, person in enumerate(made)}
        pool = await admin.ask(
            "leads",
            "POST",
            "/v1/pools",
            name="Chung",
            members=[{"account_id": person, "weight": weight} for person, weight in weights.items()],
        )
        floor = Floor(stack, admin, pool["id"], made, leads, weights)

        async def ready() -> bool:
            members = (await admin.get("leads", f"/v1/pools/{pool['id']}"))["members"]
            return all(member["on_duty"] and member["active"] for member in members)

        await eventually(ready, within=PATIENCE, what="everybody is shown on duty")
        yield floor


async def _hire(admin: Person, number: int) -> str:
    account: dict[str, Any] = await admin.ask(
        "staff",
        "POST",
        "/v1/accounts",
        login=f"sale.{number}",
        name=f"Người bán {number}",
        department="sale",
        group="sale",
        temporary_password="tam-thoi-7391",
    )
    await admin.ask("staff", "PUT", f"/v1/accounts/{account['id']}/duty", on_duty=True)
    return str(account["id"])
