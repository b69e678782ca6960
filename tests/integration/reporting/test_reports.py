"""Reports over real PostgreSQL: every number reconciles, whatever the order in which events arrive."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.leads.labels import CHANNELS
from services.reporting.app import SERVICE
from shared.consumer import apply_once, read_event
from shared.contracts import permissions
from shared.contracts.base import Contract
from shared.contracts.events.base import EventType
from shared.contracts.events.leads import LEAD_DUPLICATED, LEAD_WITHDRAWN, LeadDuplicated, LeadWithdrawn, Source
from shared.contracts.events.orders import (
    LEVEL_CHANGED,
    ORDER_CLOSED,
    OWNER_CHANGED,
    Address,
    LevelChanged,
    OrderClosed,
    OwnerChanged,
)
from shared.contracts.events.shipping import COD_SETTLED, SHIPMENT_CHANGED, CodSettled, ShipmentChanged
from shared.contracts.events.staff import ACCOUNT_CHANGED, AccountChanged
from tests.harness import Databases, Running, running

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
PERIOD = {"first": "2026-11-01", "last": "2026-11-30"}

Said = tuple[EventType, Contract, UUID]


@dataclass
class Life:
    """One order's life, as the events that the other services would say."""

    owner: UUID
    channel: str = "landing_page"
    marketer: str = "MK01"
    arrived: datetime = START
    order_id: UUID = field(default_factory=uuid7)
    said: list[Said] = field(default_factory=list)
    level: str = "C3"
    sequence: int = 0
    clock: datetime = START
    cod: int = 0

    def __post_init__(self) -> None:
        self.clock = self.arrived

    def move(self, *to: str, actor: str = "") -> Life:
        for level in to:
            self.clock += timedelta(hours=1)
            self.sequence += 1
            change = LevelChanged(
                transition_id=uuid7(),
                order_id=self.order_id,
                sequence=self.sequence,
                from_level=self.level,
                to_level=level,
                at=self.clock,
                recorded_at=self.clock,
                cause="test",
                actor=actor,
                owner_id=self.owner if self.sequence > 1 else None,
                channel=self.channel,
                marketer=self.marketer,
                cohort_at=self.arrived,
            )
            self.said.append((LEVEL_CHANGED, change, self.order_id))
            self.level = level
            if self.sequence == 1:
                self.give(None, self.owner, 1)
        return self

    def final(self, final: bool) -> Life:
        """What orders says of the level that the order reached last."""
        event_type, change, subject = self.said[-1]
        self.said[-1] = (event_type, change.model_copy(update={"final": final}), subject)
        return self

    def give(self, old: UUID | None, new: UUID, assignment: int) -> Life:
        change = OwnerChanged(
            order_id=self.order_id,
            assignment=assignment,
            level=self.level,
            from_owner_id=old,
            to_owner_id=new,
            at=self.clock,
        )
        self.said.append((OWNER_CHANGED, change, self.order_id))
        self.owner = new
        return self

    def close(self, total: int = 330_000, fee: int = 30_000, deposit: int = 0) -> Life:
        self.move("L5")
        self.cod = total - deposit
        closed = OrderClosed(
            order_id=self.order_id,
            version=1,
            code="DH-TEST",
            closed_at=self.clock,
            closer_id=self.owner,
            closer_code="NV001",
            recipient="Nguyễn Thị Thử",
            phone="+84912345678",
            address=Address(province="Hà Nội", ward="Phường Thử", detail="1 Đường Thử"),
            lines=(),
            shipping_fee=fee,
            deposit=deposit,
            total=total,
            cod=total - deposit,
        )
        self.said.append((ORDER_CLOSED, closed, self.order_id))
        return self

    def hand_over(self) -> Life:
        shipment = ShipmentChanged(
            shipment_id=self.order_id,
            order_id=self.order_id,
            sequence=2,
            status="picked_up",
            previous="accepted",
            at=self.clock,
            carrier="ghtk",
            handed_over_at=self.clock,
        )
        self.said.append((SHIPMENT_CHANGED, shipment, self.order_id))
        return self

    def settle(self, amount: int | None = None) -> Life:
        settled = CodSettled(
            shipment_id=self.order_id,
            order_id=self.order_id,
            at=self.clock,
            amount=self.cod if amount is None else amount,
            carrier="ghtk",
            evidence="status",
        )
        self.said.append((COD_SETTLED, settled, self.order_id))
        return self


def duplicate(anchor: Life) -> Said:
    lead = uuid7()
    data = LeadDuplicated(
        lead_id=lead,
        anchor_id=anchor.order_id,
        received_at=anchor.arrived,
        source=Source(channel=anchor.channel, marketer=anchor.marketer),
    )
    return LEAD_DUPLICATED, data, lead


@pytest.fixture
async def reporting(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        yield instance


async def tell(reporting: Running, said: list[Said], *, batch: int = 50) -> None:
    """Applies events in batches, as the consumer does."""
    handlers = SERVICE.all_handlers()
    for start in range(0, len(said), batch):
        events = [
            read_event(
                {
                    "ce-id": str(uuid7()),
                    "ce-type": event_type.name,
                    "ce-subject": str(subject),
                    "ce-time": "2026-11-21T00:00:00+00:00",
                },
                data.model_dump_json().encode(),
            )
            for event_type, data, subject in said[start : start + batch]
        ]
        async with reporting.db.transaction() as session:
            await apply_once(session, "reporting", handlers, events)


async def get(reporting: Running, path: str, *granted: str, account_id: UUID | None = None, **query: Any) -> Any:
    client = await reporting.client(*granted, account_id=account_id)
    answer = await client.get(f"/v1/reports/{path}", params={**PERIOD, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def world(seed: int, count: int = 120) -> list[Life]:
    """A company's month: orders with every kind of ending."""
    dice = random.Random(seed)
    people = [uuid7() for _ in range(4)]
    lives: list[Life] = []
    for _ in range(count):
        arrived = START + timedelta(minutes=dice.randrange(20 * 24 * 60))
        life = Life(
            owner=dice.choice(people),
            channel=dice.choice(["landing_page", "excel", "facebook_form"]),
            marketer=dice.choice(["MK01", "MK02"]),
            arrived=arrived,
        ).move("L1")
        lives.append(life)
        for _ in range(dice.randrange(3)):
            life.move(dice.choice(["L1.4", "L1.2"]))
        if dice.random() < 0.2:
            life.give(life.owner, dice.choice(people), 2)
        ending = dice.random()
        if ending < 0.25:
            life.move(dice.choice(["L1.1", "L1.3", "L1.5"]))
        elif ending < 0.8:
            life.close(deposit=dice.choice([0, 50_000]))
            way = dice.random()
            if way < 0.15:
                life.move("L5.3")
            elif way < 0.25:
                life.move("L7", "L7.4")
            elif way < 0.9:
                life.move("L7").hand_over()
                if dice.random() < 0.8:
                    life.move("L7.1", "L8").settle()
                else:
                    life.move("L7.1", "L7.2", "L7.5", "L7.3")
    return lives


async def everything(reporting: Running) -> dict[str, Any]:
    return {
        "funnel": (await get(reporting, "funnel"))["rows"],
        "by_owner": (await get(reporting, "funnel", group_by="owner"))["rows"],
        "by_channel": (await get(reporting, "funnel", group_by="channel"))["rows"],
        "status": (await get(reporting, "status"))["rows"],
        "incurred": (await get(reporting, "incurred"))["rows"],
        "remaining": (await get(reporting, "remaining", at="2026-12-31"))["rows"],
        "identity": await get(reporting, "identity"),
        "money": (await get(reporting, "money"))["rows"],
    }


async def test_reports_are_the_same_whatever_the_order_of_arrival(databases: Databases) -> None:
    lives = world(seed=7)
    said = [fact for life in lives for fact in life.said] + [duplicate(life) for life in lives[:15]]
    answers = []
    for shuffle in (None, 1):
        events = list(said)
        if shuffle is not None:
            random.Random(shuffle).shuffle(events)
        async with running(SERVICE, databases) as reporting:
            await tell(reporting, events, batch=50 if shuffle is None else 7)
            answers.append(await everything(reporting))
    assert answers[0] == answers[1]
    assert answers[0]["identity"]["holds"] is True
    assert answers[0]["funnel"][0]["c3"] == len(lives) + 15
    assert answers[0]["funnel"][0]["duplicates"] == 15
    for key in ("by_owner", "by_channel"):
        for measure in ("c3", "l1", "l5", "l7", "l8", "net_closed"):
            assert sum(row[measure] for row in answers[0][key]) == answers[0]["funnel"][0][measure]
    closed = {row["kind"]: row for row in answers[0]["money"]}
    assert closed["received"]["orders"] == closed["delivered"]["orders"] == answers[0]["funnel"][0]["l8"]
    assert closed["received"]["amount"] == closed["delivered"]["amount"], "the fee for the delivery is no revenue"


@pytest.mark.parametrize(
    ("collected", "received"),
    [(280_000, 300_000), (130_000, 150_000), (0, 20_000), (-1, 300_000)],
    ids=["in full", "a part", "nothing", "before the fee was kept"],
)
async def test_money_that_came_home_is_counted_without_the_fee_for_the_delivery(
    reporting: Running, collected: int, received: int
) -> None:
    life = Life(owner=uuid7()).move("L1").close(total=330_000, fee=30_000, deposit=50_000)
    life.move("L7").hand_over().move("L7.1", "L8")
    await tell(reporting, life.said)
    if collected < 0:
        pool = await reporting.db.driver()
        await pool.execute("UPDATE order_facts SET shipping_fee = NULL")
        collected = 280_000
    await tell(reporting, life.settle(collected).said[-1:])
    money = {row["kind"]: row["amount"] for row in (await get(reporting, "money"))["rows"]}
    assert (money["delivered"], money["received"]) == (300_000, received)


async def test_remaining_is_entered_minus_left_and_moves_for_each_person(reporting: Running) -> None:
    lives = world(seed=3)
    await tell(reporting, [fact for life in lives for fact in life.said])
    incurred = (await get(reporting, "incurred", group_by="owner"))["rows"]
    remaining = (await get(reporting, "remaining", group_by="owner", at="2026-12-31"))["rows"]
    standing: dict[tuple[UUID, str], int] = {}
    for life in lives:
        standing[life.owner, life.level] = standing.get((life.owner, life.level), 0) + 1
    assert sum(row["orders"] for row in remaining) == len(lives)
    by_rows = {}
    for row in incurred:
        key = row["key"], row["level"]
        by_rows[key] = by_rows.get(key, 0) + row["entered"] - row["left"] + row["moved_in"] - row["moved_out"]
    assert {key: count for key, count in by_rows.items() if count} == {
        (row["key"], row["level"]): row["orders"] for row in remaining
    }
    assert sorted(standing.values()) == sorted(
        row.orders
        for row in await reporting.rows(
            'SELECT sum(entered) - sum("left") + sum(moved_in) - sum(moved_out) AS orders FROM level_days '
            'GROUP BY owner_id, level HAVING sum(entered) - sum("left") + sum(moved_in) - sum(moved_out) <> 0'
        )
    )


async def test_an_order_cancelled_between_posting_and_pick_up_did_not_reach_l7(reporting: Running) -> None:
    life = Life(owner=uuid7()).move("L1").close().move("L7", "L7.4")
    await tell(reporting, life.said)
    (row,) = (await get(reporting, "funnel"))["rows"]
    assert (row["l5"], row["l7"], row["net_closed"]) == (1, 0, 0)


async def test_a_duplicate_counts_in_c3_alone(reporting: Running) -> None:
    life = Life(owner=uuid7()).move("L1")
    await tell(reporting, [*life.said, duplicate(life)])
    (row,) = (await get(reporting, "funnel"))["rows"]
    assert (row["c3"], row["duplicates"], row["l1"]) == (2, 1, 1)
    statuses = {row["level"]: row["orders"] for row in (await get(reporting, "status"))["rows"]}
    assert statuses == {"L1": 1, "C3.1": 1}


async def test_a_day_is_the_companys_day(reporting: Running) -> None:
    late = datetime(2026, 11, 10, 17, 30, tzinfo=UTC)  # 00:30 on the 11th in Vietnam
    await tell(reporting, Life(owner=uuid7(), arrived=late).move("L1").said)
    rows = (await get(reporting, "funnel", group_by="day"))["rows"]
    assert [row["key"] for row in rows] == ["2026-11-11"]


async def test_people_see_their_own_and_their_subordinates_numbers(reporting: Running) -> None:
    manager, seller, other = uuid7(), uuid7(), uuid7()
    for number, (account, superior) in enumerate([(manager, None), (seller, manager), (other, None)]):
        await reporting.receive(
            ACCOUNT_CHANGED,
            AccountChanged(
                account_id=account,
                version=1,
                code=f"NV{number:03}",
                name="Thử",
                department="sale",
                group="sale",
                superior_id=superior,
                at=START,
            ),
            subject=account,
        )
    for owner in (seller, seller, other):
        await tell(reporting, Life(owner=owner).move("L1").said)
    reads = permissions.REPORTS_READ
    assert (await get(reporting, "funnel", reads, account_id=manager))["rows"][0]["c3"] == 2
    assert (await get(reporting, "funnel", reads, account_id=other))["rows"][0]["c3"] == 1
    owners = await get(reporting, "funnel", reads, account_id=manager, group_by="owner")
    assert [row["key"] for row in owners["rows"]] == ["NV001"]
    client = await reporting.client(reads, account_id=manager)
    refused = await client.get("/v1/reports/funnel", params={**PERIOD, "group_by": "channel"})
    assert refused.status_code == 403
    assert (await client.get("/v1/reports/identity")).status_code == 403


async def test_a_number_drills_down_to_its_facts(reporting: Running) -> None:
    lives = [Life(owner=uuid7()).move("L1").close() for _ in range(5)]
    await tell(reporting, [fact for life in lives for fact in life.said])
    first = await get(reporting, "transitions", level="L5", limit=3)
    rest = await get(reporting, "transitions", level="L5", limit=3, after=first["next"])
    assert {row["order_id"] for row in first["items"] + rest["items"]} == {str(life.order_id) for life in lives}
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ({"first": "2026-11-30", "last": "2026-11-01"}, "period-upside-down"),
        ({"first": "2020-01-01", "last": "2026-11-01"}, "period-too-long"),
        ({"first": "yesterday"}, "invalid"),
        ({"group_by": "mood"}, "invalid"),
    ],
)
async def test_a_wrong_period_is_explained(reporting: Running, query: dict[str, str], title: str) -> None:
    client = await reporting.client()
    answer = await client.get("/v1/reports/funnel", params=query)
    assert answer.status_code == 422
    assert answer.json()["title"] == title


async def test_the_dashboard_page_holds_no_data_and_allows_no_foreign_scripts(reporting: Running) -> None:
    nobody = await reporting.anonymous()
    page = await nobody.get("/")
    assert page.status_code == 200
    assert "Chuyển đổi phễu" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_the_dashboard_names_every_channel(reporting: Running) -> None:
    page = (await (await reporting.anonymous()).get("/")).text
    assert [name for code, (name, _) in CHANNELS.items() if f'{code}:"{name}"' not in page] == []


async def test_a_level_of_the_company_is_open_or_final_as_orders_says(reporting: Running) -> None:
    owner = uuid7()
    lives = [
        Life(owner).move("L1", "L1.7").final(True),
        Life(owner).move("L1", "L1.8").final(False),
        Life(owner).move("L1", "L1.9"),  # said before events told it
        Life(owner).move("L1", "L1.5"),
    ]
    await tell(reporting, [said for life in lives for said in life.said])

    rows = (await get(reporting, "remaining", at="2026-11-30"))["rows"]
    assert {row["level"]: row["final"] for row in rows} == {"L1.5": True, "L1.7": True, "L1.8": False, "L1.9": False}
    open_ones = (await get(reporting, "remaining", at="2026-11-30", only_open=True))["rows"]
    assert {row["level"]: row["orders"] for row in open_ones} == {"L1.8": 1, "L1.9": 1}
    status = (await get(reporting, "status"))["rows"]
    assert {row["level"]: row["final"] for row in status} == {row["level"]: row["final"] for row in rows}


async def test_an_order_that_was_reopened_counts_as_closed_once_but_not_as_net_closed(reporting: Running) -> None:
    reopened = Life(uuid7()).move("L1").close().move("L1.2")
    again = Life(uuid7()).move("L1").close().move("L1.2", "L5")
    await tell(reporting, reopened.said + again.said)
    (total,) = (await get(reporting, "funnel"))["rows"]
    assert (total["l5"], total["net_closed"]) == (2, 1)
    assert (await get(reporting, "identity"))["holds"]


async def sums(reporting: Running) -> dict[str, list[str]]:
    """The rollups without rows that add nothing."""
    tables = (
        "level_days",
        "level_source_days",
        "cohort_source_days",
        "cohort_owner_days",
        "cohort_level_days",
        "cohort_place_days",
        "place_days",
        "money_days",
    )
    found: dict[str, list[str]] = {}
    for table in tables:
        rows = await reporting.rows(f"SELECT to_jsonb(t) AS row FROM {table} t")
        measured = [row.row for row in rows if any(isinstance(value, int) and value for value in row.row.values())]
        found[table] = sorted(str(row) for row in measured)
    return found


async def test_a_withdrawn_lead_is_taken_out_of_every_sum_whenever_its_events_come(reporting: Running) -> None:
    owner, colleague = uuid7(), uuid7()
    stays = Life(owner).move("L1", "L1.4")
    await tell(reporting, stays.said)
    before = await sums(reporting)
    goes = [Life(owner).move("L1") for _ in range(5)]
    for life in goes:
        life.give(owner, colleague, 2)
    twin = LeadDuplicated(lead_id=uuid7(), anchor_id=stays.order_id, received_at=START, source=Source(channel="excel"))
    said = [*(fact for life in goes for fact in life.said), (LEAD_DUPLICATED, twin, twin.lead_id)]
    gone: list[Said] = [
        (LEAD_WITHDRAWN, LeadWithdrawn(lead_id=id, was="lead", withdrawn_at=START), id)
        for id in [*(life.order_id for life in goes), twin.lead_id]
    ]
    half = len(said) // 2
    await tell(reporting, said[:half], batch=3)
    assert await sums(reporting) != before

    await tell(reporting, [*gone, *said[half:], *gone], batch=4)

    assert await sums(reporting) == before
    assert {row.order_id for row in await reporting.rows("SELECT order_id FROM transitions")} == {stays.order_id}


async def test_an_edited_order_counts_with_what_was_agreed_last_on_the_day_of_its_closing(reporting: Running) -> None:
    life = Life(uuid7()).move("L1").close(total=330_000, fee=30_000)
    event_type, first, subject = life.said[-1]
    edited = first.model_copy(update={"version": 2, "total": 530_000})
    await tell(reporting, [*life.said[:-1], (event_type, edited, subject), (event_type, first, subject)])
    client = await reporting.client()
    day = life.clock.date().isoformat()
    rows = (await client.get("/v1/reports/money", params={"first": day, "last": day})).json()["rows"]
    assert {row["kind"]: (row["orders"], row["amount"]) for row in rows}["closed"] == (1, 500_000)
