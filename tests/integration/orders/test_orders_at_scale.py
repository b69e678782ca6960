"""Lists of orders and of what is due read what they show by index, however many orders there are."""

from __future__ import annotations

from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from services.orders.access import VISIBLE, viewer
from services.orders.promises import due_list
from services.orders.promises.due_list import Asked
from services.orders.reading import lists
from services.orders.reading.narrowing import Filters, conditions
from shared.auth import Principal
from shared.contracts.permissions import ORDERS_READ, SEE_ALL
from shared.db import ReadSession
from tests.integration.orders.cost import pages
from tests.integration.orders.support import MORNING, Shop
from tests.integration.orders.test_customers_at_scale import NAMES, SELLERS

FILL: Final = (
    # Rows a million times over: what triggers keep is made at once.
    "SET LOCAL session_replication_role = replica",
    """
CREATE TEMP TABLE filled AS
SELECT i, uuidv7(- interval '100 seconds' * (:count - i)) AS id, uuidv7() AS customer_id, abs(hashint4(i)) % 1000 AS part,
    (CAST(:surnames AS text[]))[1 + abs(hashint4(i + 1)) % 50] || ' '
        || (CAST(:middle AS text[]))[1 + abs(hashint4(i + 2)) % 10] || ' '
        || CASE WHEN i % 1000 = 7 THEN 'Khuất' ELSE (CAST(:given AS text[]))[1 + abs(hashint4(i + 3)) % 50] END AS name,
    CASE WHEN i % :sellers = 0 THEN CAST(:sale AS uuid)
        ELSE CAST(lpad(CAST(i % :sellers AS text), 32, '0') AS uuid) END AS holder
FROM generate_series(1, :count) AS i
""",
    "INSERT INTO customers (id, name) SELECT customer_id, name FROM filled",
    "INSERT INTO customer_phones (phone, customer_id) SELECT '+84' || 300000000 + i, customer_id FROM filled",
    # As orders of three years are: most are over, few wait, and those are the newest.
    """
INSERT INTO orders (id, code, customer_id, phone, name, cohort_at, level, level_since, sequence, owner_id, closer_id, search,
    product, team)
SELECT id, 'DH-' || lpad(CAST(i AS text), 8, '0'), customer_id, '+84' || 300000000 + i, name, now(),
    CASE WHEN part = 0 THEN 'L7.6' WHEN i > :count * 0.98 AND part < 300 THEN 'L1.4' WHEN i > :count * 0.98 THEN 'L1.2'
        WHEN part = 1 THEN 'L5' WHEN part < 700 THEN 'L8' WHEN part < 850 THEN 'L1.5' ELSE 'L7.3' END,
    now(), 1, CASE WHEN part <> 2 THEN holder END, CASE WHEN part < 300 THEN holder END,
    to_tsvector('simple', plain_words(name)), 'P' || part % 50, 'T' || i % :sellers % 10
FROM filled
""",
    "INSERT INTO order_search SELECT id, order_tokens(search, level, owner_id, closer_id) FROM orders ORDER BY id",
    """
INSERT INTO fulfilments (order_id, phase, changed_at)
SELECT id, CASE level WHEN 'L8' THEN 'done' ELSE 'closed' END, now() FROM orders WHERE level IN ('L8', 'L5')
""",
    """
INSERT INTO reservations (order_id, version, state, queued_at)
SELECT order_id, 1, CASE phase WHEN 'done' THEN 'issued' ELSE 'reserved' END, now() FROM fulfilments
""",
    # One for each open order, a third of them due; and those that are done.
    """
INSERT INTO tasks (id, order_id, key, step, kind, promise, name_vi, name_en, owner_id, team, to_team, due_at, deadline_at,
    opened_at, closed_at, outcome)
SELECT uuidv7(), o.id, 'call:1', 'first_call', 'call', 'first_call', 'Gọi', 'Call', owner_id, team,
    level = 'L1.4' AND part < 15,
    at + interval '1 minute' * (abs(hashtext(code)) % 3000 - 1000), at + interval '1 minute' * 3000, at,
    CASE WHEN level NOT IN ('L1.2', 'L1.4') THEN at END, CASE WHEN level NOT IN ('L1.2', 'L1.4') THEN 'done' END
FROM orders o JOIN filled f ON f.id = o.id, (SELECT CAST(:now AS timestamptz)) n (at)
""",
    "INSERT INTO staff_closure (superior_id, account_id, depth) "
    "SELECT DISTINCT CAST(:leader AS uuid), holder, 1 FROM filled WHERE i % :sellers < :sellers / 2",
    "INSERT INTO staff_closure (superior_id, account_id, depth) "
    "SELECT DISTINCT CAST(:few AS uuid), holder, 1 FROM filled WHERE i % :sellers < 10",
)
MANY: Final = 1_000_000
FEW: Final = 5_000
LEADER, FEW_LEADER = UUID(int=1 << 127), UUID(int=1 << 126)


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.soak)])
async def many(shop: Shop, request: pytest.FixtureRequest) -> int:
    """So many orders, held by 200 salespeople of whom NV01 is one."""
    count: int = request.param
    values = {
        "count": count,
        "sellers": SELLERS,
        "sale": shop.sale.id,
        "now": MORNING,
        "leader": LEADER,
        "few": FEW_LEADER,
        **NAMES,
    }
    async with shop.service.db.transaction() as session:
        for sql in FILL:
            await session.execute(text(sql), {name: value for name, value in values.items() if f":{name}" in sql})
    # What autovacuum does by itself, later: pages of which an index says everything are not read.
    await (await shop.service.db.driver()).execute("VACUUM ANALYZE")
    return count


BARE: Final = text(
    """
SELECT o.*, l.kind, c.next_due, r.state, f.phase FROM (SELECT * FROM orders ORDER BY id DESC LIMIT 50) o
JOIN levels l ON l.code = o.level LEFT JOIN LATERAL (SELECT * FROM care WHERE order_id = o.id OFFSET 0) c ON true
LEFT JOIN LATERAL (SELECT * FROM reservations WHERE order_id = o.id OFFSET 0) r ON true
LEFT JOIN LATERAL (SELECT * FROM fulfilments WHERE order_id = o.id OFFSET 0) f ON true
"""
)
"""The limit: the rows of one page by primary key, with what is shown of each."""
ALLOWED: Final = 10
"""Times the bare page: what is not shown, 200 candidates at most, is looked at by the same keys."""


def people(shop: Shop) -> dict[str, Principal]:
    def one(id: UUID, *granted: str) -> Principal:
        return Principal(id, "NV01", frozenset({ORDERS_READ, *granted}), team="T0")

    return {
        "admin": one(shop.sale.id, SEE_ALL),
        "sale": one(shop.sale.id),
        "leader": one(LEADER),
        "leader of ten": one(FEW_LEADER),
    }


ASKED: Final[dict[str, Filters]] = {
    "all": Filters(),
    "a common level": Filters(level=("L8",)),
    "a rare level": Filters(level=("L7.6",)),
    "levels": Filters(level=("L7.6", "L5", "L1.4")),
    "a level that none has": Filters(level=("L7.2",)),
    "of somebody": Filters(owner=UUID(int=7)),
    "a rare level of somebody": Filters(owner=UUID(int=7), level=("L7.6",)),
    "of nobody": Filters(unassigned=True),
    "a common name": Filters(text="nguy"),
    "one in a thousand": Filters(text="khuat"),
    "nobody has both": Filters(text="thi van"),
    "nobody": Filters(text="xyz"),
    "a common name at a rare level": Filters(text="nguyen", level=("L7.6",)),
    "to post": Filters(to_post=True),
    "code": Filters(text="DH-00000777"),
}


async def test_a_page_of_orders_costs_no_more_than_what_it_shows_whatever_is_asked(shop: Shop, many: int) -> None:
    db = shop.service.db
    bare = await pages(db, lambda session: session.execute(BARE))
    print(f"bare page: {bare} pages")
    cost: dict[str, int] = {}
    given_up: dict[str, int] = {}
    for of, who in people(shop).items():
        for name, filters in {**ASKED, "phone": Filters(phone=f"+84{300000000 + many // 2}")}.items():

            async def page(session: ReadSession, who: Principal = who, filters: Filters = filters) -> lists.OrderPage:
                return await lists.page(session, who=who, filters=filters, limit=50, after=None, now=MORNING)

            async with db.read() as reading:
                found = await page(reading)
            if (found.next is None) != (len(found.items) < 50):
                given_up[f"{of}: {name}"] = len(found.items)
            cost[f"{of}: {name}"] = each = await pages(db, page)
            print(f"{of}: {name}: {each} pages ({each / bare:.1f} x), {len(found.items)} orders")
    assert {name: each for name, each in cost.items() if each > ALLOWED * bare} == {}
    # Each page is full, or holds everything: nothing of this is so rare in all respects together that it is given up.
    assert given_up == {}


@pytest.mark.parametrize("many", [FEW], indirect=True)
async def test_all_pages_of_orders_together_hold_what_is_asked_for_once_the_newest_first(shop: Shop, many: int) -> None:
    for of, who in people(shop).items():
        for name, filters in ASKED.items():
            wanted = conditions(filters, None)
            query = _ALL.format(conditions=" AND ".join([VISIBLE, *wanted]))
            asked = dict(pair for each in (viewer(who), *wanted.values()) for pair in each.items())
            expected = [row.id for row in await shop.service.rows(query, **asked)]
            found: list[UUID] = []
            after: UUID | None = None
            while True:
                async with shop.service.db.read() as session:
                    page = await lists.page(session, who=who, filters=filters, limit=200, after=after, now=MORNING)
                found += [item.id for item in page.items]
                after = page.next
                if after is None:
                    break
            assert found == expected, (of, name)


_ALL: Final = """
SELECT o.id FROM orders o LEFT JOIN reservations r ON r.order_id = o.id LEFT JOIN fulfilments f ON f.order_id = o.id
WHERE {conditions} ORDER BY o.id DESC
"""


async def test_the_due_list_costs_no_more_than_the_open_tasks_it_looks_through(shop: Shop, many: int) -> None:
    db, zone = shop.service.db, ZoneInfo("Asia/Ho_Chi_Minh")
    of_team = 0
    over = {}
    for of, who in people(shop).items():
        for name, asked in {
            "mine": Asked(),
            "of somebody": Asked(owner=UUID(int=7)),
            "to take": Asked(to_take=True),
            "of a team": Asked(team="T0"),
            "of a team, a product": Asked(team="T0", product="P7"),
        }.items():

            async def page(session: ReadSession, who: Principal = who, asked: Asked = asked) -> due_list.TaskPage:
                return await due_list.page(session, who=who, asked=asked, limit=50, after=None, now=MORNING, zone=zone)

            async with db.read() as session:
                counts = (await page(session)).counts
            assert counts is not None
            open_tasks = max(sum(counts.model_dump().values()), 50)
            if asked.team:
                # Whatever is asked of a team, and whoever asks: its tasks are looked through. Who sees all comes first.
                of_team = open_tasks = max(of_team, open_tasks)
            each = await pages(db, page)
            print(f"{of}: {name}: {each} pages for {open_tasks} tasks")
            if each > open_tasks * A_TASK:
                over[f"{of}: {name}"] = each
    assert over == {}


A_TASK: Final = 16
"""Pages: a task and its order by key for the counts, once more for the page, and what is shown of it."""
