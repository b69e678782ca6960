"""The raw inbox of people who see few items costs what they see, not what there is: by the rows and pages that are read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from services.leads.app import SERVICE
from services.leads.inbox import own, store
from services.leads.inbox.store import Filters
from services.leads.repository.leads import Viewer
from tests.harness import Databases, Running, running
from tests.integration.leads.plans import scanned

SENDER: Final = UUID(int=7)
"""Sent the oldest items, of every verdict, and none since."""
UPLOADER: Final = UUID(int=8)
"""Uploaded one workbook, which was undone."""
SOURCE: Final = UUID(int=9)
"""The source of a marketer, with few items, all old."""
COMMON: Final = UUID("11111111-0000-0000-0000-000000000005")
"""One of many who send all the time."""

# Item 1 is the oldest. Those of the three above are all among the first hundred.
_FILL: Final = (
    """
INSERT INTO sources (id, name, channel, marketer) SELECT CAST(:source AS uuid), 'Hội chợ', 'event', 'MKTX'
UNION ALL SELECT lpad(to_hex(n), 32, '2')::uuid, 'Nguồn ' || n, 'landing_page', 'MKT' || n FROM generate_series(0, 9) AS n
""",
    """
INSERT INTO imports (id, file_name, file_hash, uploaded_by, uploader, marketer, asked, sheet, columns, row_count, created_at,
    received_at, state, undone)
VALUES (CAST(:uploader AS uuid), 'x.xlsx', 'x', :uploader, 'NV008', '', true, '', '[]', 20, now(), now(), 'undone', 20)
""",
    """
INSERT INTO raw_items (id, channel, source_id, received_at, content_type, body, import_id, row_no, created_by, verdict, reason)
SELECT uuidv7(), CASE WHEN n <= 60 OR n % 3 = 0 THEN 'manual' ELSE 'landing_page' END,
    CASE WHEN n BETWEEN 61 AND 80 THEN CAST(:source AS uuid) WHEN n > 100 AND n % 3 > 0
        THEN lpad(to_hex(n % 10), 32, '2')::uuid END,
    now() - (:count - n) * interval '1 minute', '', '',
    CASE WHEN n BETWEEN 41 AND 60 THEN CAST(:uploader AS uuid) END, CASE WHEN n BETWEEN 41 AND 60 THEN n END,
    CASE WHEN n <= 40 THEN CAST(:sender AS uuid) WHEN n <= 60 THEN CAST(:uploader AS uuid)
        WHEN n % 3 = 0 THEN ('11111111-0000-0000-0000-' || lpad(to_hex(n % 40), 12, '0'))::uuid END,
    v, CASE WHEN v IN ('rejected', 'dismissed') THEN 'phone_empty' ELSE '' END
FROM generate_series(1, :count) AS n, LATERAL (SELECT CASE WHEN n BETWEEN 41 AND 60 THEN 'undone'
    WHEN n <= 100 THEN (ARRAY['lead', 'duplicate', 'rejected', 'dismissed'])[1 + n % 4]
    WHEN n % 20 = 0 THEN 'rejected' WHEN n % 50 = 1 THEN 'dismissed' WHEN n % 7 = 0 THEN 'duplicate' ELSE 'lead'
    END) AS verdicts (v)
""",
    """
INSERT INTO leads (id, verdict, phone, other_phones, phone_typed, name, product, note, address, source_id, channel, campaign,
    landing_page, marketer, received_at, changed_at, returning_customer, level, in_care, assignment, created_by, anchor_id)
SELECT id, 'lead', '+84912345678', '{}', '', '', '', '', '', source_id, channel, '', '', '', received_at, received_at, false,
    'L1', true, 0, created_by, NULL
FROM raw_items WHERE verdict IN ('lead', 'duplicate')
""",
    """
INSERT INTO raw_corrections (id, raw_item_id, at, by, kind, before, after, verdict, was, reason)
SELECT uuidv7(), id, received_at, 'NV001', 'dismissed', 'null', '{}', 'dismissed', 'phone_empty', 'gửi thử'
FROM raw_items WHERE verdict = 'dismissed'
""",
)
VIEWERS: Final = {
    "sender": Viewer(everything=False, unassigned=False, people=(SENDER,), codes=("NV007",)),
    "uploader": Viewer(everything=False, unassigned=False, people=(UPLOADER,), codes=("NV008",)),
    "marketer": Viewer(everything=False, unassigned=False, people=(UUID(int=10),), codes=("MKTX",)),
    "leader": Viewer(
        everything=False, unassigned=False, people=(SENDER, UPLOADER, COMMON), codes=("NV007", "MKTX", "MKT3")
    ),
    "nobody": Viewer(everything=False, unassigned=False, people=(UUID(int=11),), codes=("NV011",)),
}
MANAGER: Final = Viewer(everything=True, unassigned=True, people=(), codes=())
SEEN: Final = {"sender": 40, "uploader": 20, "marketer": 20, "nobody": 0}


async def fill(leads: Running, count: int) -> None:
    values = {"count": count, "sender": SENDER, "uploader": UPLOADER, "source": SOURCE}
    async with leads.db.transaction() as session:
        for statement in _FILL:
            named = {name: value for name, value in values.items() if f":{name}" in statement}
            await session.execute(text(statement), named)
    await (await leads.db.driver()).execute("ANALYZE")


@pytest.fixture(scope="module")
async def many(databases: Databases) -> AsyncIterator[Running]:
    async with running(SERVICE, databases) as instance:
        await fill(instance, 20_000)
        yield instance


async def walked(leads: Running, viewer: Viewer, filters: Filters, *, limit: int) -> list[UUID]:
    """The ids of all pages, a thousand at most."""
    found: list[UUID] = []
    async with leads.db.read() as session:
        while len(found) < 1_000:
            page = await store.page(session, viewer, filters, after=found[-1] if found else None, limit=limit)
            found += [row.id for row in page]
            if len(page) < limit:
                break
    return found[:1_000]


MIDDLE: Final = datetime.now(UTC) - timedelta(minutes=19_960)
NARROWED: Final = {
    "nothing": Filters(),
    **{verdict: Filters(verdict=verdict) for verdict in ("lead", "duplicate", "rejected", "dismissed", "undone")},
    "reason": Filters(reason="phone_empty"),
    "channel": Filters(channel="manual"),
    "source": Filters(source_id=SOURCE),
    "since": Filters(since=MIDDLE),
    "until": Filters(until=MIDDLE),
    "import": Filters(import_id=UPLOADER),
}


@pytest.mark.parametrize("name", NARROWED)
async def test_whoever_sees_few_items_sees_them_all_once_and_in_order(
    many: Running, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {who: await walked(many, viewer, NARROWED[name], limit=37) for who, viewer in VIEWERS.items()}
    monkeypatch.setattr(own, "LOOKED_AT", 0)
    for who, viewer in VIEWERS.items():
        assert shown[who] == await walked(many, viewer, NARROWED[name], limit=1_000), who
    if name == "nothing":
        assert {who: len(shown[who]) for who in SEEN} == SEEN
        assert len(shown["leader"]) == 1_000


async def plan_of(leads: Running, viewer: Viewer, filters: Filters, place: dict[str, Any]) -> dict[str, Any]:
    sql, values = store.statement(viewer, filters, place=place, limit=50)
    async with leads.db.read() as session:
        plan = (await session.execute(text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}"), values)).scalar_one()
    found: dict[str, Any] = (orjson.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return found


@pytest.mark.parametrize("from_place", [False, True])
@pytest.mark.parametrize("who", SEEN)
async def test_a_page_of_few_old_items_reads_few_of_all_items(many: Running, who: str, from_place: bool) -> None:
    place = {"after": UUID(int=0), "after_time": MIDDLE, "after_id": UUID(int=0)} if from_place else {}
    plan = await plan_of(many, VIEWERS[who], Filters(), place)
    assert scanned(plan, "raw_items") <= 3 * 50 + 50
    assert scanned(plan, "leads") <= 100


FEW_READ: Final = {
    "nothing": {},
    **{verdict: {"verdict": verdict} for verdict in ("lead", "duplicate", "rejected", "dismissed", "undone")},
    "reason": {"reason": "phone_empty"},
    "channel": {"channel": "manual"},
    "source": {"source_id": SOURCE},
    "until": {"until": MIDDLE},
    "import": {"import_id": UPLOADER},
}


@pytest.mark.parametrize("from_place", [False, True])
@pytest.mark.parametrize("name", FEW_READ)
async def test_a_page_of_all_items_reads_few_of_them(many: Running, name: str, from_place: bool) -> None:
    place = {"after": UUID(int=0), "after_time": MIDDLE, "after_id": UUID(int=0)} if from_place else {}
    plan = await plan_of(many, MANAGER, Filters(**FEW_READ[name]), place)
    assert scanned(plan, "raw_items") <= 2_000
    assert scanned(plan, "leads") <= 2_000


async def test_all_items_are_shown_once_and_in_order(many: Running) -> None:
    newest = [
        row.id for row in await many.rows("SELECT id FROM raw_items ORDER BY received_at DESC, id DESC LIMIT 1000")
    ]
    assert await walked(many, MANAGER, Filters(), limit=37) == newest
    assert await walked(many, MANAGER, Filters(), limit=1_000) == newest


@pytest.mark.soak
async def test_the_inbox_reads_as_many_pages_of_a_million_items_as_of_a_thousand(leads: Running) -> None:
    await fill(leads, 1_000_000)
    pages: dict[str, int] = {}
    asked = [*((who, viewer, Filters()) for who, viewer in VIEWERS.items())]
    asked += [(f"manager: {name}", MANAGER, Filters(**filters)) for name, filters in FEW_READ.items()]
    for what, viewer, filters in asked:
        plan = await plan_of(leads, viewer, filters, {})
        pages[what] = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    print(pages)
    assert max(pages.values()) < 2_000
