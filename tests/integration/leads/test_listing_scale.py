"""Each filter of the list reads an index, whatever the number of leads: by the plan, and by the buffers that are read."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from services.leads.app import SERVICE
from services.leads.listing import own, query, words
from services.leads.listing.cursor import Order
from services.leads.listing.filters import LeadFilters
from services.leads.repository.leads import LEADS, SHOWN, Viewer
from tests.harness import Databases, Running, running
from tests.integration.leads.company import hire, post

EVERYTHING: Final = Viewer(everything=True, unassigned=True, people=(), codes=())
RARE: Final = UUID(int=7)
OLD: Final = UUID(int=8)
"""Holds the oldest fiftieth of all leads, and none since."""

# The rare values are all among the oldest leads, as those of a campaign that ended long ago.
_FILL: Final = """
WITH made AS (
    INSERT INTO raw_items (id, channel, received_at, content_type, body, verdict)
    SELECT uuidv7(), 'manual', now() - n * interval '1 minute', '', '', 'lead' FROM generate_series(1, :count) AS n
    RETURNING id, received_at
), n AS (SELECT id, received_at, row_number() OVER (ORDER BY received_at, id) AS n FROM made)
INSERT INTO leads (id, verdict, phone, other_phones, phone_typed, name, product, note, address, source_id, channel, campaign,
    landing_page, marketer, received_at, changed_at, returning_customer, level, in_care, owner_id, assignment, spam, do_not_call)
SELECT id, 'lead', '+849' || lpad(n::text, 8, '0'), CASE WHEN n = 9 THEN ARRAY['+84380000009'] ELSE '{}' END, '',
    CASE WHEN n <= 20 THEN 'Quách Hiếm' ELSE (ARRAY['Nguyễn', 'Trần', 'Lê'])[1 + n % 3] || ' ' || n END,
    CASE WHEN n <= 20 THEN 'HIEM' ELSE 'P' || n % 50 END, 'Gọi sau ' || n % 24 || 'h', n || ' Lê Lợi, Phường Bến Thành', NULL,
    CASE WHEN n <= 20 THEN 'event' ELSE 'landing_page' END, CASE WHEN n <= 20 THEN 'hiem' ELSE 'C' || n % 200 END,
    CASE WHEN n <= 20 THEN 'hiem' ELSE 'LP' || n % 100 END, CASE WHEN n <= 20 THEN 'MKTX' ELSE 'MKT' || n % 30 END, received_at,
    received_at,
    n <= 20, CASE WHEN n <= 20 THEN 'L1.3' ELSE 'L1' END, true,
    CASE WHEN n <= 20 THEN CAST(:rare AS uuid)
        WHEN n <= :count / 50 THEN CAST(:old AS uuid) ELSE lpad(to_hex(n % 100), 32, '1')::uuid END, 1,
    CASE WHEN n <= 20 THEN 'fake' ELSE '' END, n <= 20
FROM n
"""

CASES: Final[dict[str, dict[str, Any]]] = {
    "level": {"level": ["L1.3"]},
    "levels": {"level": ["L1.3", "L1.5"]},
    "owner": {"owner_id": [RARE]},
    "channel": {"channel": ["event"]},
    "campaign": {"campaign": ["hiem"]},
    "landing_page": {"landing_page": ["hiem"]},
    "marketer": {"marketer": ["MKTX"]},
    "product": {"product": ["HIEM"]},
    "returning_customer": {"returning_customer": True},
    "spam": {"spam": True},
    "do_not_call": {"do_not_call": True},
    "phone": {"phone": "0900000009"},
    "second phone": {"phone": "0380000009"},
    "end of a phone": {"phone": "00000009"},
    "words": {"q": "quach hiem"},
    "a word": {"q": "quach"},
    "received": {"received_to": "2000-01-01T00:00:00Z"},
    "assigned": {"assigned_to": "2000-01-01T00:00:00Z"},
    "tag": {"tag_any": [RARE]},
    "note": {"has_note": True},
    "waiting": {"waiting": True},
    "unassigned": {"unassigned": True},
    "two that fit few": {"campaign": ["hiem"], "level": ["L1.3"]},
}


OWN_INDEX: Final = ("level", "owner", "channel", "campaign", "landing_page", "marketer", "product")
"""Cases whose index has their name."""


async def fill(leads: Running, count: int) -> None:
    async with leads.db.transaction() as session:
        await session.execute(text(_FILL), {"count": count, "rare": RARE, "old": OLD})
    pool = await leads.db.driver()
    async with pool.acquire() as connection:
        await words.catch_up_with_all(connection)
    await pool.execute("ANALYZE")


async def buffers(leads: Running, **filters: Any) -> tuple[int, str]:
    """Pages of 8 KiB that the first page of a list reads, and its plan."""
    asked = LeadFilters.model_validate(filters)
    async with leads.db.read() as session:
        conditions = await query._conditions(session, asked, query.WITHIN)
    statement = (
        SHOWN.where(EVERYTHING.may_see(), *conditions).order_by(LEADS.c.received_at.desc(), LEADS.c.id.desc()).limit(50)
    )
    compiled = statement.compile(dialect=postgresql.asyncpg.dialect(), compile_kwargs={"literal_binds": True})
    pool = await leads.db.driver()
    plan: str = await pool.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {compiled}")
    top = orjson.loads(plan)[0]["Plan"]
    return top["Shared Hit Blocks"] + top["Shared Read Blocks"], plan


@pytest.fixture(scope="module")
async def many(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        await fill(instance, 20_000)
        yield instance


@pytest.mark.parametrize("name", CASES)
async def test_a_filter_that_few_old_leads_fit_reads_few_pages(many: Running, name: str) -> None:
    pool = await many.db.driver()
    table = await pool.fetchval("SELECT pg_relation_size('leads') / 8192")

    read, plan = await buffers(many, **CASES[name])

    assert '"Seq Scan"' not in plan or '"Relation Name": "leads"' not in plan.split('"Seq Scan"', 1)[1][:200], plan
    assert read < table / 3, (read, table)
    if name in OWN_INDEX:
        assert re.search(f"leads_{name}(_changed)?_idx", plan)


@pytest.mark.parametrize("from_place", [False, True])
@pytest.mark.parametrize("order", ["newest", "oldest", "changed"])
async def test_the_list_of_people_whose_leads_are_all_old_reads_few_pages(
    many: Running, order: Order, from_place: bool
) -> None:
    pool = await many.db.driver()
    table = await pool.fetchval("SELECT pg_relation_size('leads') / 8192")

    middle = (datetime.now(UTC) - timedelta(minutes=19_800), UUID(int=0)) if from_place else ()
    team = [OLD, RARE, *(UUID(int=100 + n) for n in range(20))]

    plan: str = await pool.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {own.statement(order, from_place=from_place)}",
        team,
        ["X"],
        50,
        *middle,
    )

    top = orjson.loads(plan)[0]["Plan"]
    assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < table / 4, plan
    assert '"Seq Scan"' not in plan
    assert top["Actual Rows"] == 50
    by = "_changed_idx" if order == "changed" else "_idx"
    assert {f"leads_{kind}{by}" for kind in ("owner", "created_by", "marketer")} <= set(re.findall(r"leads_\w+", plan))


async def test_a_narrow_list_shows_each_lead_once_in_order_whichever_way_somebody_may_see_it(leads: Running) -> None:
    admin = await leads.client()
    (nam,) = await hire(leads, "NV012")
    client = await leads.client("leads.read", "leads.create", account_id=nam.id, code="NV012")
    ids = []
    for place in range(9):
        maker = client if place % 3 == 1 else admin
        lead = await post(maker, f"091234560{place}")
        if place % 3 != 1:
            await admin.post(f"/v1/leads/{lead['id']}/assign", json={"owner_id": str(nam.id)})
        ids.append(lead["id"])
    await admin.post(f"/v1/leads/{ids[1]}/assign", json={"owner_id": str(nam.id)})  # sender and owner
    stranger = await post(admin, "0987654321")

    for lead_id in (ids[4], ids[1]):
        await admin.patch(f"/v1/leads/{lead_id}", json={"name": "Lan"}, headers={"If-Match": '"1"'})
    last = {row.id: row.changed_at for row in await leads.rows("SELECT id::text AS id, changed_at FROM leads")}
    changed = sorted(ids, key=lambda id: (last[id], id), reverse=True)
    assert changed[:2] == [ids[1], ids[4]]
    for order, expected in (("newest", ids[::-1]), ("oldest", ids), ("changed", changed)):
        seen: list[str] = []
        after: str | None = None
        while True:
            params: dict[str, Any] = {"limit": 4, "order": order} | ({"after": after} if after else {})
            page = (await client.get("/v1/leads", params=params)).json()
            seen += [item["id"] for item in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert seen == expected
        assert stranger["id"] not in seen


@pytest.mark.soak
async def test_lists_of_a_million_leads_answer_like_lists_of_a_thousand(leads: Running) -> None:
    await fill(leads, 1_000_000)
    client = await leads.client()
    took: dict[str, float] = {}
    asked: dict[str, dict[str, Any]] = {
        **CASES,
        "nothing": {},
        "common level": {"main_level": ["L1"]},
        "common word": {"q": "nguyen"},
        "three digits": {"phone": "123"},
        "tags none": {"tag_none": [RARE]},
    }
    for name, filters in asked.items():
        shown = {
            key: [str(one) for one in value] if isinstance(value, list) else value for key, value in filters.items()
        }
        times = []
        for _ in range(3):
            started = time.perf_counter()
            answer = await client.get("/v1/leads", params=shown)
            times.append(time.perf_counter() - started)
            assert answer.status_code == 200, (name, answer.text)
        took[name] = min(times) * 1000
    for name, account in (("a colleague who left", OLD), ("a colleague", UUID("1" * 31 + "5"))):
        own = await leads.client("leads.read", account_id=account, code="X")
        kinds = {
            "all": {},
            "changed": {"order": "changed"},
            "one product": {"product": "P7"},
            "a level": {"level": "L1.4"},
        }
        for kind, filters in kinds.items():
            started = time.perf_counter()
            assert (await own.get("/v1/leads", params=filters)).status_code == 200
            took[f"{name}: {kind}"] = (time.perf_counter() - started) * 1000
    counted = time.perf_counter()
    assert (await client.get("/v1/leads/count", params={"main_level": "L1"})).json()["more"] is True
    took["count"] = (time.perf_counter() - counted) * 1000
    print({name: round(value) for name, value in sorted(took.items(), key=lambda item: -item[1])})
    read, _ = await buffers(leads, campaign=["hiem"])
    assert read < 2_000
    async with leads.db.read() as session:
        assert await query.count(session, EVERYTHING, LeadFilters.model_validate({"q": "quach"})) == 20
