"""Pages of the smaller lists read what they show, not what there is: by the rows that are looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from services.leads.app import SERVICE
from services.leads.consent import do_not_call
from services.leads.consent.do_not_call import Place
from services.leads.floating import reading
from services.leads.floating.reading import Wanted
from services.leads.imports import listing
from services.leads.repository import backlog, facebook, pools
from services.leads.transfers import store
from tests.harness import Databases, Running, running
from tests.integration.leads.plans import scanned

COUNT: Final = 20_000
POOLS: Final = 5
IMPORT: Final = UUID(int=1)
TRANSFER: Final = UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")
QUIET: Final = UUID(int=3)
"""A page of Facebook, and somebody who uploads: both had something long ago, and nothing since."""
BUSY: Final = UUID(int=4)
NOW: Final = datetime.now(UTC)

# Number 1 is the oldest. What waits is in one of the pools or in none, every third was taken from somebody. The oldest 200
# are those of forty people who have left, behind somebody who has all others.
_FILL: Final = (
    f"INSERT INTO pools (id, name, position) SELECT uuidv7(), 'Nhóm ' || n, n FROM generate_series(1, {POOLS}) AS n",
    """
INSERT INTO imports (id, file_name, file_hash, uploaded_by, uploader, marketer, asked, sheet, columns, row_count, created_at,
    received_at, state)
SELECT CASE WHEN n = 1 THEN CAST(:import AS uuid) ELSE uuidv7() END, '', CAST(n::text AS bytea),
    CASE WHEN n <= 30 THEN CAST(:quiet AS uuid) ELSE CAST(:busy AS uuid) END, '', '', true, '', '[]', 1, now(), now(), 'done'
FROM generate_series(1, :count) AS n
""",
    """
INSERT INTO raw_items (id, channel, received_at, content_type, body, verdict, import_id, row_no)
SELECT uuidv7(), 'excel', CAST(:now AS timestamptz) - (:count - n) * interval '1 minute', '', '[]', 'lead',
    CAST(:import AS uuid), n
FROM generate_series(1, :count) AS n
""",
    """
INSERT INTO leads (id, verdict, phone, other_phones, phone_typed, name, product, note, address, channel, campaign, landing_page,
    marketer, received_at, returning_customer, level, in_care, owner_id, assignment)
SELECT id, 'lead', '+849' || lpad(row_no::text, 8, '0'), '{}', '', '', '', '', '', channel, '', '', '', received_at, false,
    'L1', true, CASE WHEN row_no > 200 THEN CAST(:busy AS uuid) ELSE lpad(to_hex(row_no % 40), 32, 'a')::uuid END, 1
FROM raw_items
""",
    """
INSERT INTO staff_members (account_id, version, active)
SELECT owner_id, 1, owner_id = CAST(:busy AS uuid) FROM leads GROUP BY owner_id
""",
    f"""
INSERT INTO backlog (lead_id, pool_id, received_at, cause, since)
SELECT i.id, p.id, i.received_at, CASE WHEN row_no % 3 = 0 THEN 'reassignment' ELSE 'distribution' END,
    i.received_at + interval '1 hour'
FROM raw_items i LEFT JOIN pools p ON p.position = i.row_no % {POOLS + 1}
""",
    """
INSERT INTO import_kept SELECT import_id, id, 'worked_on' FROM raw_items WHERE row_no % 1000 = 0
""",
    """
INSERT INTO transfers (id, kind, strategy, from_id, by_id, by, people, made_at, good_until, state, row_count, rows_done)
SELECT CASE WHEN n = :count THEN CAST(:transfer AS uuid) ELSE uuidv7() END,
    CASE WHEN n <= 30 THEN 'hand_over' ELSE 'distribution' END, 'people', CASE WHEN n <= 30 THEN CAST(:quiet AS uuid) END,
    :busy, '', '[]', now(), now(), 'done', :count, :count
FROM generate_series(1, :count) AS n
""",
    """
INSERT INTO transfer_rows (transfer_id, position, lead_id, assignment, to_id)
SELECT CAST(:transfer AS uuid), row_no - 1, id, 1, CAST(:busy AS uuid) FROM raw_items
""",
    """
INSERT INTO facebook_pages (id, page_id, app_id, name, credentials, hook_secret_hash)
SELECT id, id::text, '', '', '', CAST(id::text AS bytea) FROM unnest(ARRAY[CAST(:quiet AS uuid), CAST(:busy AS uuid)]) AS p (id)
""",
    """
INSERT INTO facebook_leads (leadgen_id, page_id, form_id, item_id, received_at, pushed_at, state, fetched_at)
SELECT row_no::text, CASE WHEN row_no <= 30 THEN CAST(:quiet AS uuid) ELSE CAST(:busy AS uuid) END, '1', id, received_at,
    received_at, CASE WHEN row_no BETWEEN 31 AND 50 THEN 'pending' ELSE 'fetched' END,
    CASE WHEN row_no NOT BETWEEN 31 AND 50 THEN received_at END
FROM raw_items
""",
    """
INSERT INTO leads (id, verdict, phone, other_phones, phone_typed, name, product, note, address, source_id, channel, campaign,
    landing_page, marketer, received_at, returning_customer, level, in_care, assignment, floating_since)
SELECT uuidv7(), 'lead', '+848' || lpad(n::text, 8, '0'), '{}', '', '', CASE WHEN n <= 30 THEN 'HIEM' ELSE 'P' || n % 50 END, '',
    '', CASE WHEN n <= 30 THEN CAST(:quiet AS uuid) END, CASE WHEN n <= 30 THEN 'event' ELSE 'excel' END, '', '', '',
    CAST(:now AS timestamptz), false, CASE WHEN n <= 30 THEN 'L1.4' ELSE 'L1' END, true, 1,
    CAST(:now AS timestamptz) - (:count - n) * interval '1 minute'
FROM generate_series(1, :count) AS n
""",
    """
INSERT INTO assignments (lead_id, assignment, cause, at)
SELECT id, 1, 'floating_pool', floating_since FROM leads WHERE floating_since IS NOT NULL
""",
    """
INSERT INTO do_not_call (phone, source, kind, reason, since)
SELECT phone, CASE WHEN row_no <= 30 THEN 'complaint' ELSE 'import' END, CASE WHEN row_no <= 30 THEN 'calls' ELSE 'all' END,
    '', CASE WHEN row_no <= 30 THEN l.received_at ELSE CAST(:now AS timestamptz) END
FROM leads l JOIN raw_items USING (id)
""",
)


@pytest.fixture(scope="module")
async def many(databases: Databases) -> AsyncIterator[Running]:
    values = {
        "count": COUNT,
        "import": IMPORT,
        "transfer": TRANSFER,
        "quiet": QUIET,
        "busy": BUSY,
        "now": NOW,
    }
    async with running(SERVICE, databases) as instance:
        async with instance.db.transaction() as session:
            for statement in _FILL:
                named = {name: value for name, value in values.items() if f":{name}" in statement}
                await session.execute(text(statement), named)
        await (await instance.db.driver()).execute("ANALYZE")
        yield instance


async def looked_at(leads: Running, relation: str, sql: str, **values: Any) -> tuple[int, int]:
    """Rows of a table that a statement looked at, and how many it returned."""
    async with leads.db.read() as session:
        plan = (await session.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}"), values)).scalar_one()
    top = (orjson.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return scanned(top, relation), round(top["Actual Rows"])


async def driven(leads: Running, relation: str, sql: str, *values: Any) -> tuple[int, int]:
    """The same of a statement that goes to the driver."""
    pool = await leads.db.driver()
    top = orjson.loads(await pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values))[0]["Plan"]
    return scanned(top, relation), round(top["Actual Rows"])


WAITING: Final[dict[str, dict[str, Any]]] = {
    "all": {},
    "waited long": {"until": NOW - timedelta(minutes=COUNT - 3_000)},
    "of a pool": {"pool": True},
}


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("name", WAITING)
async def test_a_page_of_what_waits_reads_the_oldest_of_each_pool(many: Running, name: str, deep: bool) -> None:
    asked = WAITING[name]
    (middle,) = await many.rows("SELECT id FROM raw_items WHERE row_no = 2000")
    (pool,) = await many.rows("SELECT id FROM pools WHERE position = 2")
    values = {
        "pool": pool.id if "pool" in asked else None,
        "until": asked.get("until"),
        "after": middle.id if deep else None,
        "limit": 50,
    }

    read, shown = await looked_at(many, "backlog", backlog._STATEMENT, **values)

    assert shown == 50
    assert read <= 50 * (POOLS + 1) + 2 * 50


@pytest.mark.parametrize("name", WAITING)
async def test_what_waits_in_all_pools_is_shown_once_and_in_order(many: Running, name: str) -> None:
    asked = WAITING[name]
    (pool,) = await many.rows("SELECT id FROM pools WHERE position = 2")
    pool_id = pool.id if "pool" in asked else None
    expected = await many.rows(
        """
SELECT lead_id FROM backlog WHERE (CAST(:pool AS uuid) IS NULL OR pool_id = :pool) AND (CAST(:until AS timestamptz) IS NULL
    OR CASE WHEN cause = 'distribution' THEN received_at ELSE since END <= :until)
ORDER BY received_at, lead_id
""",
        pool=pool_id,
        until=asked.get("until"),
    )
    found: list[UUID] = []
    async with many.db.read() as session:
        while True:
            after = found[-1] if found else None
            page = await backlog.page(session, pool_id=pool_id, until=asked.get("until"), after=after, limit=333)
            found += [one.lead_id for one in page]
            if len(page) < 333:
                break

    assert found == [row.lead_id for row in expected]


async def test_rows_that_an_undo_kept_are_found_without_the_others(many: Running) -> None:
    read, shown = await looked_at(many, "raw_items", listing._KEPT_ROWS.text, id=IMPORT, after=0, limit=50)

    assert shown == 20
    assert read <= 3 * 20


async def test_the_imports_of_somebody_who_had_few_are_found_without_the_others(many: Running) -> None:
    values = {"everything": False, "people": [QUIET], "after": None, "limit": 50}
    read, shown = await looked_at(many, "imports", listing._PAGE.text, **values)

    assert (shown, read) == (30, 30)


@pytest.mark.parametrize("after", [-1, 10_000])
async def test_a_page_of_the_rows_of_a_transfer_reads_that_page(many: Running, after: int) -> None:
    read, shown = await driven(many, "transfer_rows", store._ROWS, TRANSFER, after, None, 200)

    assert (shown, read) == (200, 200)


async def test_few_hand_overs_are_found_among_many_distributions(many: Running) -> None:
    read, shown = await driven(many, "transfers", store._PAGE, "hand_over", None, 50)

    assert (shown, read) == (30, 30)


@pytest.mark.parametrize(
    "narrowed",
    [
        {},
        {"products": ["HIEM"]},
        {"levels": ["L1.4"]},
        {"levels": ["L1.4", "L1.6"]},
        {"channel": "event"},
        {"source_id": QUIET},
        {"products": ["HIEM"], "channel": "event"},
    ],
)
async def test_few_numbers_of_the_floating_pool_are_found_among_many(many: Running, narrowed: dict[str, Any]) -> None:
    wanted = Wanted(**narrowed)
    values = (wanted.products, wanted.levels, wanted.channel, wanted.source_id, None, None, None, None, 50)
    read, shown = await driven(many, "leads", reading._PAGE, NOW, NOW - timedelta(days=30), *values)

    assert shown == (30 if narrowed else 50)
    assert read <= 2 * 50


async def test_leads_of_people_who_left_are_counted_as_far_as_the_page_reaches(many: Running) -> None:
    read, shown = await driven(many, "leads", store._NEEDED, None, True, BUSY, 10)

    assert (shown, read) == (10, 10 * 5)
    first, *_ = await store.needed(await many.db.driver(), everybody=True, viewer=BUSY, after=None, limit=10)
    assert (first["open_leads"], first["in_care"]) == (5, 5)


@pytest.mark.parametrize(
    ("page", "states", "there"),
    [
        (QUIET, ["pending", "fetched", "failed"], 30),
        (BUSY, ["pending", "fetched", "failed"], 50),
        (BUSY, ["pending"], 20),
        (BUSY, ["failed"], 0),
    ],
)
async def test_few_leads_of_a_page_of_facebook_are_found_among_many(
    many: Running, page: UUID, states: list[str], there: int
) -> None:
    values = {"page": page, "states": states, "after": None, "limit": 50}
    read, shown = await looked_at(many, "facebook_leads", facebook._LEADS.text, **values)

    assert shown == there
    assert read <= 50 + 20


async def test_pages_of_facebook_are_counted_in_one_pass(many: Running) -> None:
    read, shown = await looked_at(many, "facebook_leads", facebook._LIST.text, after=None, limit=50)

    assert (shown, read) == (2, COUNT)
    async with many.db.read() as session:
        quiet, busy = await facebook.pages(session, after=None, limit=50)
        assert (await facebook.page(session, QUIET)) == quiet
    assert (quiet.pushed, quiet.polled_only, quiet.fetched, quiet.pending) == (30, 0, 30, 0)
    assert quiet.last_lead_at == NOW - timedelta(minutes=COUNT - 30)
    assert (busy.fetched, busy.pending, busy.failed) == (COUNT - 50, 20, 0)


async def test_pools_are_counted_in_one_pass(many: Running) -> None:
    read, shown = await looked_at(many, "backlog", pools._PAGE.text, after=None, limit=50)

    assert (shown, read) == (POOLS, COUNT)
    (row,) = await many.rows("SELECT id FROM pools WHERE position = 2")
    async with many.db.read() as session:
        first, *_ = await pools.page(session, after=None, limit=50)
        counted = await pools.counted(session, row.id)
    assert counted is not None
    assert (first.waiting, first.raised) == (counted.waiting, counted.raised) == (3_334, 0)


@pytest.mark.parametrize(
    ("narrowed", "there"),
    [({}, 50), ({"kind": "calls"}, 30), ({"source": "complaint"}, 30), ({"kind": "calls", "source": "import"}, 0)],
)
async def test_the_do_not_call_list_reads_what_it_shows(many: Running, narrowed: dict[str, str], there: int) -> None:
    sql, values = do_not_call.statement(
        after=None, limit=50, **{"source": None, "kind": None, "phone": None, **narrowed}
    )
    read, shown = await looked_at(many, "do_not_call", sql, **values)

    assert shown == there
    assert read <= 50 + 30


async def test_a_page_deep_in_a_file_of_numbers_is_found_at_once_and_repeats_none(many: Running) -> None:
    client = await many.client()
    (middle,) = await many.rows("SELECT place FROM do_not_call ORDER BY since DESC, place DESC OFFSET 10000 LIMIT 1")
    place = Place(NOW, middle.place)
    sql, values = do_not_call.statement(after=place, limit=50, source=None, kind=None, phone=None)

    read, shown = await looked_at(many, "do_not_call", sql, **values)

    assert shown == 50
    assert read <= 50 + 30
    seen = 0
    after: str | None = None
    while True:
        page = (await client.get("/v1/do-not-call", params={"limit": 200} | ({"after": after} if after else {}))).json()
        seen += len(page["items"])
        after = page["next"]
        if after is None:
            break
    assert seen == COUNT
