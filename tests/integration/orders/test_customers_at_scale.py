"""Lists, hints and timelines read what they show by index, however many customers there are."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

import pytest
from sqlalchemy import text

from services.orders.customers import duplicates, lists, timeline
from services.orders.customers.lists import Filters
from services.orders.customers.sought import NEAR
from shared.auth import Principal
from shared.contracts.permissions import ORDERS_READ, SEE_ALL
from tests.integration.orders.support import MORNING, Shop

SELLERS: Final = 200
FILL: Final = (
    """
INSERT INTO customers (id, name, fields, tags, blocked_at)
SELECT uuidv7(- interval '1 second' * (:count - i)), CASE
        WHEN i < :count * 0.3 AND i % 2 = 0 THEN 'Khách Lẻ ' || i
        WHEN i % 1000 = 7 THEN 'Khuất Duy ' || (CAST(:given AS text[]))[1 + i / 1000 % 50]
        ELSE (CAST(:surnames AS text[]))[1 + abs(hashint4(i)) % 50] || ' '
            || (CAST(:middle AS text[]))[1 + abs(hashint4(i)) / 50 % 10] || ' '
            || (CAST(:given AS text[]))[1 + abs(hashint4(i)) / 500 % 50] END, CASE WHEN i % 10 = 0
    THEN jsonb_build_object('skin', 'type' || i % 1000, 'age', 18 + i % 60, 'born', date '1950-01-01' + i % 20000)
     ELSE '{}' END, '{}', CASE WHEN i % 5000 = 0 THEN now() END
FROM generate_series(1, :count) AS i
""",
    """
CREATE TEMP TABLE filled AS SELECT id, name, row_number() OVER (ORDER BY id) AS i FROM customers
""",
    "INSERT INTO customer_phones (phone, customer_id) SELECT '+84' || 300000000 + i, id FROM filled",
    """
INSERT INTO customer_addresses (id, customer_id, province, ward, detail, used_at)
SELECT uuidv7(), id, 'Hà Nội', 'Phường ' || i % 300, i / 2 || ' Tràng Tiền', now() FROM filled WHERE i % 3 <> 0
""",
    """
INSERT INTO orders (id, code, customer_id, phone, name, cohort_at, level, level_since, sequence, owner_id, search)
SELECT uuidv7(- interval '1 second' * (:count - i)), 'T' || i || '-' || n, id, '+84' || 300000000 + i, name, now(),
    'L1', now(), 1, CASE WHEN i % :sellers = 0 THEN CAST(:sale AS uuid)
        ELSE CAST(lpad(CAST(i % :sellers AS text), 32, '0') AS uuid) END, to_tsvector('simple', plain_words(name))
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
    *("customer_names", "customer_field_values"),
    *("orders", "transitions"),
}
NAMES: Final = {
    "surnames": 19 * ["Nguyễn"]
    + 6 * ["Trần"]
    + 5 * ["Lê", "Phạm"]
    + 3 * ["Hoàng", "Huỳnh", "Phan"]
    + ["Vũ", "Võ", "Đặng"]
    + ["Bùi", "Đỗ", "Hồ"],
    "middle": 4 * ["Thị"] + 3 * ["Văn"] + ["Ngọc", "Minh", "Thanh"],
    "given": 2 * ["Hoa", "Lan", "Hùng", "Anh", "Tuấn", "Hương", "Linh", "Dũng", "Mai", "Nam"]
    + [
        "Bình",
        "Châu",
        "Chi",
        "Cường",
        "Diệp",
        "Dung",
        "Duyên",
        "Giang",
        "Hà",
        "Hải",
        "Hạnh",
        "Hậu",
        "Hiền",
        "Hiếu",
        "Hòa",
    ]
    + [
        "Huệ",
        "Khánh",
        "Kiên",
        "Loan",
        "Long",
        "Ly",
        "Nga",
        "Nhung",
        "Oanh",
        "Phúc",
        "Quân",
        "Sơn",
        "Thảo",
        "Thu",
        "Yến",
    ],
}
"""As common as such names are, of fifty, ten and fifty: two in five are called Nguyễn, as many have Thị in the middle."""
MANY: Final = 1_000_000
FEW: Final = 5_000
"""So few that PostgreSQL reads some tables from end to end because it is cheaper; then it is asked whether it must."""


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.soak)])
async def many(shop: Shop, request: pytest.FixtureRequest) -> int:
    """So many customers, each with an order or two, held by 200 salespeople of whom NV01 is one."""
    count: int = request.param
    for key, kind in {"skin": "text", "age": "number", "born": "date"}.items():
        body = {"subject": "customer", "key": key, "vi": key, "en": key, "type": kind}
        assert (await shop.admin.client.post("/v1/custom-fields", json=body)).status_code == 201
    async with shop.service.db.transaction() as session:
        for sql in FILL:
            values = {"count": count, "sellers": SELLERS, "sale": shop.sale.id, **NAMES}
            await session.execute(text(sql), {name: value for name, value in values.items() if f":{name}" in sql})
    return count


@dataclass
class Read:
    """What a page cost."""

    pages: int
    """Of PostgreSQL, 8 KiB each, in memory or not."""
    scanned: set[str]
    """Large tables that were read from end to end."""
    rows: int


async def read(shop: Shop, *queries: tuple[str, dict[str, Any]], many: int, limit: int = 50) -> Read:
    """What these cost of which the first that fills the page is enough."""
    cost = Read(0, set(), 0)
    for sql, parameters in queries:
        async with shop.service.db.read() as session:
            if many < MANY:
                await session.execute(text("SET LOCAL enable_seqscan = off"))
            explain = text(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}")
            plan = (await session.execute(explain, parameters)).scalar_one()[0]["Plan"]
        cost.pages += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        cost.scanned |= LARGE & {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
        cost.rows = plan["Actual Rows"]
        if cost.rows == limit:
            break
    return cost


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


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
    (newest,) = await shop.service.rows("SELECT id FROM orders ORDER BY id DESC LIMIT 1")
    filled_at = datetime.fromtimestamp((newest.id.int >> 80) / 1000, UTC)
    admin, sale = principal(shop, SEE_ALL), principal(shop)
    asked = {
        "all": (admin, Filters(), 50),
        "mine": (sale, Filters(), min(50, many // SELLERS)),
        "phone": (admin, Filters(phone=f"+84{300000000 + many // 2}"), 1),
        "one in a thousand": (admin, Filters(text="khuất duy"), min(50, many // 1000)),
        "three words": (admin, Filters(text="nguyễn thị ho"), min(50, many // 200)),
        "two in five": (admin, Filters(text="nguyen"), 50),
        "a letter": (admin, Filters(text="n"), 50),
        "one in thirty": (admin, Filters(text="hoa"), 50),
        "long ago": (admin, Filters(text="khach le"), 50),
        "nobody": (admin, Filters(text="thi van"), 0),
        "two in five, blocked": (admin, Filters(text="nguyen", blocked=True), 0),
        "my two in five": (sale, Filters(text="nguyễn"), min(50, many // SELLERS // 5)),
        "my one in a thousand": (sale, Filters(text="khuất"), 0),
        "field": (admin, Filters(fields=(("skin", "type500"),)), min(50, many // 1000)),
        "a wide range": (admin, Filters(fields_from=(("age", "30"),)), 50),
        "a narrow range": (
            admin,
            Filters(fields_from=(("born", "1950-01-02"),), fields_to=(("born", "1950-02-01"),)),
            min(50, many // 10_000),
        ),
        "two ranges and a name": (
            admin,
            Filters(text="nguyen", fields_from=(("age", "30"),), fields_to=(("born", "1955-01-01"),)),
            min(50, many // 1000),
        ),
        "my range": (sale, Filters(fields_from=(("age", "30"),)), min(50, many // SELLERS // 20)),
        "blocked": (admin, Filters(blocked=True), min(50, many // 5000)),
        "idle": (admin, Filters(last_order_to=filled_at - timedelta(seconds=many / 2)), 50),
        "lately": (admin, Filters(last_order_from=filled_at - timedelta(seconds=40)), 1),
    }
    took: dict[str, float] = {}
    cost: dict[str, Read] = {}
    for name, (who, filters, expected) in asked.items():
        async with shop.service.db.read() as session:
            queries = await lists.statements(session, who=who, filters=filters, limit=50, after=None, now=MORNING)
        cost[name] = await read(shop, *queries, many=many)
        # Of those whom several filters leave, the planner may find the cheapest way through a narrow table.
        assert cost[name].scanned <= ({"customer_field_values"} if "two ranges" in name else set()), name
        assert cost[name].rows >= expected, (name, cost[name])

        async def page(who: Principal = who, filters: Filters = filters) -> None:
            async with shop.service.db.read() as session:
                await lists.page(session, who=who, filters=filters, limit=50, after=None, now=MORNING)

        took[name] = await seconds(page)

    # The limit: the rows of one page by primary key, with their orders by index.
    bare = text(
        "SELECT c.id, c.name, o.n FROM (SELECT id, name FROM customers ORDER BY id DESC LIMIT 50) c "
        "CROSS JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.customer_id = c.id) o"
    )

    cost["bare page"] = await read(shop, (str(bare), {}), many=many)

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
    for name, each in took.items():
        print(f"{name}: {1000 * each:.1f} ms ({each / took['bare page']:.1f} x)", cost.get(name))
    shown = 10 * cost["bare page"].pages
    near = 2 * (NEAR + 100)  # each of these rows on a page of its own, and their index
    for name in ("two in five", "a letter", "my two in five", "a wide range"):
        assert cost[name].pages <= near + shown, (name, cost[name])
    for name, words in {
        "one in a thousand": "khuat & duy",
        "three words": "nguyen & thi & ho:*",
        "long ago": "khach & le",
    }.items():
        (row,) = await shop.service.rows(
            "SELECT count(*) AS names FROM customer_names WHERE words @@ to_tsquery('simple', :words)", words=words
        )
        assert cost[name].pages <= near + 2 * shown + 2 * row.names, (name, cost[name], row.names)
    # Ratios of one run: what is shown of a page costs several small reads a customer, and nothing else.
    for name in ("all", "phone", "blocked", "idle", "timeline", "hints"):
        assert took[name] < 25 * took["bare page"], (name, took)
