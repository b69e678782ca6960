"""Lists, hints and timelines read what they show by index, however many customers there are."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

import pytest
from sqlalchemy import text

from services.orders.customers import duplicates, lists, timeline
from services.orders.customers.lists import Filters
from shared.auth import Principal
from shared.contracts.permissions import ORDERS_READ, SEE_ALL
from tests.integration.orders.support import MORNING, Shop

SELLERS: Final = 200
FILL: Final = (
    """
INSERT INTO customers (id, name, fields, tags, blocked_at)
SELECT uuidv7(- interval '1 second' * (:count - i)), 'Khách Số ' || i, CASE WHEN i % 10 = 0
    THEN jsonb_build_object('skin', 'type' || i % 1000) ELSE '{}' END, '{}', CASE WHEN i % 5000 = 0 THEN now() END
FROM generate_series(1, :count) AS i
""",
    """
CREATE TEMP TABLE filled AS SELECT id, row_number() OVER (ORDER BY id) AS i FROM customers
""",
    "INSERT INTO customer_phones (phone, customer_id) SELECT '+84' || 300000000 + i, id FROM filled",
    """
INSERT INTO customer_addresses (id, customer_id, province, ward, detail, used_at)
SELECT uuidv7(), id, 'Hà Nội', 'Phường ' || i % 300, i / 2 || ' Tràng Tiền', now() FROM filled WHERE i % 3 <> 0
""",
    """
INSERT INTO orders (id, code, customer_id, phone, name, cohort_at, level, level_since, sequence, owner_id, search)
SELECT uuidv7(- interval '1 second' * (:count - i)), 'T' || i || '-' || n, id, '+84' || 300000000 + i, 'Khách Số ' || i, now(),
    'L1', now(), 1, CASE WHEN i % :sellers = 0 THEN CAST(:sale AS uuid)
        ELSE CAST(lpad(CAST(i % :sellers AS text), 32, '0') AS uuid) END, to_tsvector('simple', 'khach so ' || i)
FROM filled, generate_series(1, 2) AS n WHERE n = 1 OR i % 3 = 0
""",
    """
INSERT INTO customer_contacts (id, customer_id, name, roles, created_at)
SELECT uuidv7(), id, 'Người Nhận ' || i, ARRAY['recipient'], now() FROM filled WHERE i % 5 = 0
""",
    """
INSERT INTO customer_history (id, customer_id, version, kind, changes, at)
SELECT uuidv7(), id, 2, 'profile', '{}', now() FROM filled WHERE i % 5 = 0
""",
    """
INSERT INTO transitions (id, order_id, sequence, from_level, to_level, at, recorded_at, cause)
SELECT uuidv7(), id, 1, 'C3', 'L1', now(), now(), 'accepted' FROM orders
""",
    "ANALYZE",
)
LARGE: Final = {
    *("customers", "customer_phones", "customer_addresses", "customer_contacts", "customer_history"),
    *("orders", "transitions"),
}
MANY: Final = 1_000_000
FEW: Final = 5_000
"""So few that PostgreSQL reads some tables from end to end because it is cheaper; then it is asked whether it must."""


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.soak)])
async def many(shop: Shop, request: pytest.FixtureRequest) -> int:
    """So many customers, each with an order or two, held by 200 salespeople of whom NV01 is one."""
    count: int = request.param
    async with shop.service.db.transaction() as session:
        for sql in FILL:
            values = {"count": count, "sellers": SELLERS, "sale": shop.sale.id}
            await session.execute(text(sql), {name: value for name, value in values.items() if f":{name}" in sql})
    return count


async def scans(shop: Shop, sql: str, parameters: dict[str, Any], *, many: int) -> tuple[set[str], int]:
    """The large tables that a query reads from end to end, and how many rows it returns."""
    async with shop.service.db.read() as session:
        if many < MANY:
            await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join((await session.execute(text(f"EXPLAIN (ANALYZE, TIMING OFF) {sql}"), parameters)).scalars())
        rows = (await session.execute(text(sql), parameters)).all()
    return LARGE & set(re.findall(r"Seq Scan on (\w+)", plan)), len(rows)


def principal(shop: Shop, *granted: str) -> Principal:
    return Principal(shop.sale.id, "NV01", frozenset({ORDERS_READ, *granted}), team="S1")


async def seconds(work: Callable[[], Awaitable[Any]], *, times: int = 7) -> float:
    """Median, after a first run that warms caches and statements."""
    await work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - began)
    return median(taken)


async def test_pages_are_read_by_index_and_cost_no_more_than_what_they_show(shop: Shop, many: int) -> None:
    body = {"subject": "customer", "key": "skin", "vi": "Da", "en": "Skin", "type": "text"}
    assert (await shop.admin.client.post("/v1/custom-fields", json=body)).status_code == 201
    (newest,) = await shop.service.rows("SELECT id FROM orders ORDER BY id DESC LIMIT 1")
    filled_at = datetime.fromtimestamp((newest.id.int >> 80) / 1000, UTC)
    admin, sale = principal(shop, SEE_ALL), principal(shop)
    asked = {
        "all": (admin, Filters(), 50),
        "mine": (sale, Filters(), min(50, many // SELLERS)),
        "phone": (admin, Filters(phone=f"+84{300000000 + many // 2}"), 1),
        "name": (admin, Filters(text=f"khach {many // 2}"), 1),
        "my name": (sale, Filters(text=f"khách {many // SELLERS // 2 * SELLERS}"), 1),
        "field": (admin, Filters(fields=(("skin", "type500"),)), min(50, many // 1000)),
        "blocked": (admin, Filters(blocked=True), min(50, many // 5000)),
        "idle": (admin, Filters(last_order_to=filled_at - timedelta(seconds=many / 2)), 50),
        "lately": (admin, Filters(last_order_from=filled_at - timedelta(seconds=40)), 1),
    }
    took = {}
    for name, (who, filters, expected) in asked.items():
        async with shop.service.db.read() as session:
            sql, parameters = await lists.statement(
                session, who=who, filters=filters, limit=50, after=None, now=MORNING
            )
        scanned, found = await scans(shop, sql, parameters, many=many)
        assert not scanned, name
        assert found >= expected, (name, found)

        async def page(who: Principal = who, filters: Filters = filters) -> None:
            async with shop.service.db.read() as session:
                await lists.page(session, who=who, filters=filters, limit=50, after=None, now=MORNING)

        took[name] = await seconds(page)

    # The limit: the rows of one page by primary key, with their orders by index.
    bare = text(
        "SELECT c.id, c.name, o.n FROM (SELECT id, name FROM customers ORDER BY id DESC LIMIT 50) c "
        "CROSS JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.customer_id = c.id) o"
    )

    async def limit() -> None:
        async with shop.service.db.read() as session:
            (await session.execute(bare)).all()

    took["bare page"] = await seconds(limit)

    (row,) = await shop.service.rows(
        "SELECT customer_id FROM customer_phones WHERE phone = :phone", phone=f"+84{300000000 + many // 3 // 3 * 3}"
    )

    async def one_timeline() -> None:
        async with shop.service.db.read() as session:
            page = await timeline.page(session, row.customer_id, who=admin, limit=50, after=None)
            assert len(page.items) >= 4

    async def one_hint() -> None:
        async with shop.service.db.read() as session:
            await duplicates.hints(session, row.customer_id, who=admin, now=MORNING)

    took["timeline"], took["hints"] = await seconds(one_timeline), await seconds(one_hint)
    print({name: f"{1000 * each:.1f} ms ({each / took['bare page']:.1f} x)" for name, each in took.items()})
    # Ratios of one run: what is shown of a page costs several small reads a customer, and nothing else.
    for name in ("all", "phone", "name", "blocked", "idle", "timeline", "hints"):
        assert took[name] < 25 * took["bare page"], (name, took)
