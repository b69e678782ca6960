"""The COD desk of a shop: parcels as rows, statements as files, and what its screens answer."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from openpyxl import Workbook
from uuid_utils.compat import uuid7

from deploy.local.engines import Nats, Temporal
from services.shipping import following
from services.shipping.app import SERVICE
from services.shipping.cod import settlement
from services.shipping.context import Context, context_of
from tests.harness import Databases, Running, running
from tests.integration.shipping.support import CLOSER, KEY

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
DELIVERED_AT = NOW - timedelta(days=2)
HEADER = ("Mã đơn hàng", "Mã đơn hàng shop", "Tiền thu hộ", "Phí giao hàng", "Phí chuyển hoàn", "Thanh toán")
"""Of GHTK's settlement workbook."""


@dataclass(frozen=True)
class Parcel:
    """A parcel as it stands at the carrier. Money in đồng."""

    waybill: str
    code: str
    status: str = "delivered"
    cod: int = 350_000
    collected: int | None = None
    partial: bool = False
    value: int = 300_000
    fee: int = 22_000
    at: datetime = DELIVERED_AT
    settled: bool = False
    id: UUID = field(default_factory=uuid7)
    order_id: UUID = field(default_factory=uuid7)

    @property
    def reference(self) -> str:
        return f"{self.code}-1"


def paid(parcel: Parcel, **changes: Any) -> tuple[Any, ...]:
    """The line of a statement that pays a parcel as it should, in the columns of `HEADER`."""
    values = {"waybill": parcel.waybill, "code": parcel.reference, "cod": parcel.cod, "fee": parcel.fee, "back": 0}
    values |= changes
    values.setdefault("net", values["cod"] - values["fee"] - values["back"])
    return tuple(values[name] for name in ("waybill", "code", "cod", "fee", "back", "net"))


def workbook(
    rows: Iterable[Sequence[Any]],
    *,
    header: Sequence[str] = HEADER,
    above: Iterable[Sequence[Any]] = (),
    sheets: Mapping[str, Iterable[Sequence[Any]]] | None = None,
) -> bytes:
    """An .xlsx with a header and rows.

    Args:
        above: rows above the header.
        sheets: further sheets, with everything they hold.
    """
    book = Workbook()
    for row in (*above, header, *rows):
        book.active.append(list(row))
    for name, content in (sheets or {}).items():
        sheet = book.create_sheet(name)
        for row in content:
            sheet.append(list(row))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


@dataclass
class Desk:
    """The service with one shop at a carrier, and a clock that stands still."""

    running: Running
    client: httpx.AsyncClient
    connection_id: UUID
    now: datetime = NOW

    @property
    def context(self) -> Context:
        return context_of(self.running.runtime)

    async def connect(self, carrier: str, shop_name: str, **contract: Any) -> UUID:
        """A further shop; its usual terms unless `contract` says otherwise."""
        connection_id = uuid7()
        pool = await self.running.db.driver()
        await pool.execute(_CONNECT, connection_id, carrier, shop_name, connection_id.bytes * 2)
        if contract:
            await self.agree(connection_id, **contract)
        return connection_id

    async def agree(self, connection_id: UUID | None = None, *, version: int = 0, **terms: Any) -> None:
        answer = await self.client.put(
            f"/v1/cod/contracts/{connection_id or self.connection_id}",
            json=terms,
            headers={"If-Match": f'"{version}"'},
        )
        assert answer.status_code == 200, answer.text

    async def ship(self, *parcels: Parcel, connection_id: UUID | None = None) -> None:
        """Parcels as the carrier's reports have left them."""
        await ship(self.running, parcels, connection_id or self.connection_id)

    async def becomes(self, parcel: Parcel, status: str, *, at: datetime | None = None) -> None:
        """The carrier reports another status; the parcel's workflow looks."""
        pool = await self.running.db.driver()
        await pool.execute(_BECOMES, parcel.id, status, at or self.now)
        await self.look(parcel)

    async def look(self, parcel: Parcel) -> Any:
        """What the parcel's workflow asks when it wakes."""
        return await following.advance(self.context, parcel.id)

    def wait(self, **duration: float) -> None:
        self.now += timedelta(**duration)
        now = self.now
        self.context.now = lambda: now

    async def send(
        self, content: bytes, *, name: str = "doisoat.xlsx", connection_id: UUID | None = None, **form: Any
    ) -> httpx.Response:
        """Sends a statement, without comparing it."""
        return await self.client.post(
            "/v1/cod/statements",
            files={"file": (name, content)},
            data={"connection_id": str(connection_id or self.connection_id), **form},
        )

    async def compare(self, statement_id: str) -> Any:
        """What the statement's workflow does until it waits or ends."""
        advance = await settlement.advance(self.context, UUID(statement_id), beat=lambda *_: None)
        while not advance.done and advance.next_due is not None and advance.next_due <= self.context.now():
            advance = await settlement.advance(self.context, UUID(statement_id), beat=lambda *_: None)
        return advance

    async def take_in(self, content: bytes, **sent: Any) -> dict[str, Any]:
        """Sends a statement and compares it; its detail."""
        answer = await self.send(content, **sent)
        assert answer.status_code == 201, answer.text
        await self.compare(answer.json()["id"])
        return await self.statement(answer.json()["id"])

    async def statement(self, statement_id: str) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/cod/statements/{statement_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def differences(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.client.get("/v1/cod/differences", params={"limit": 200, **query})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def kinds(self, **query: Any) -> list[tuple[str, str, int]]:
        """(waybill or what it is about, kind, amount) of those that are open."""
        found = [
            (each["waybill"] or each["about"], each["kind"], each["amount"]) for each in await self.differences(**query)
        ]
        return sorted(found)

    async def story(self, parcel: Parcel) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/cod/shipments/{parcel.id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def events(self, *types: str) -> list[dict[str, Any]]:
        return [row["payload"] for row in await self.running.outbox(*types)]


async def ship(running: Running, parcels: Sequence[Parcel], connection_id: UUID) -> None:
    pool = await running.db.driver()
    rows = [
        {
            "id": str(parcel.id),
            "order_id": str(parcel.order_id),
            "connection_id": str(connection_id),
            "code": parcel.code,
            "reference": parcel.reference,
            "waybill": parcel.waybill,
            "status": parcel.status,
            "at": parcel.at.isoformat(),
            "delivered_at": parcel.at.isoformat() if parcel.status == "delivered" else None,
            "cod": parcel.cod,
            "collected": parcel.collected,
            "partial": parcel.partial,
            "fee": parcel.fee,
            "value": parcel.value,
            "settled_at": parcel.at.isoformat() if parcel.settled else None,
            "settled_amount": parcel.cod if parcel.settled else None,
            "closer": str(CLOSER),
        }
        for parcel in parcels
    ]
    async with pool.acquire() as connection, connection.transaction():
        for statement in _SHIP:
            await connection.execute(statement, json.dumps(rows))


@asynccontextmanager
async def open_desk(
    databases: Databases,
    *,
    carrier: str = "ghtk",
    nats: Nats | None = None,
    temporal: Temporal | None = None,
    **contract: Any,
) -> AsyncIterator[Desk]:
    """A shop at a carrier of which statements are the proof unless `contract` says otherwise."""
    async with running(SERVICE, databases, nats=nats, temporal=temporal, credentials_key=KEY) as instance:
        client = await instance.client(code="KT001")
        desk = Desk(instance, client, UUID(int=0))
        desk.wait()
        desk.connection_id = await desk.connect(carrier, "Shop Hà Nội", **({"proof": "statement"} | contract))
        yield desk


_CONNECT = """
INSERT INTO carrier_connections (id, carrier, shop_name, base_url, credentials, callback_secret_hash, pick_up,
    requests_per_second)
VALUES ($1, $2, $3, 'http://127.0.0.1:9', '\\x00', $4, '{}', 10)
"""
_FROM = """
FROM jsonb_to_recordset($1::jsonb) AS r(id uuid, order_id uuid, connection_id uuid, code text, reference text, waybill text,
    status text, at timestamptz, delivered_at timestamptz, cod bigint, collected bigint, partial boolean, fee bigint,
    value bigint, settled_at timestamptz, settled_amount bigint, closer uuid)
"""
_SHIP = (
    f"""
INSERT INTO shippable_orders (order_id, version, code, closer_id, closer_code, recipient, phone, goods_value, cod, closed_at)
SELECT order_id, 1, code, closer, 'NV001', 'Nguyễn Thị Mẫu', '+84912345678', value, cod, at {_FROM}
ON CONFLICT (order_id) DO NOTHING
""",
    f"""
INSERT INTO shipments (id, order_id, connection_id, reference, waybill, order_version, status, status_at, cod, collected,
    fee, partial, accepted_at, handed_over_at, delivered_at, settled_at, settled_amount)
SELECT id, order_id, connection_id, reference, waybill, 1, status, at, cod, collected, fee, partial,
    at - interval '3 days', at - interval '2 days', delivered_at, settled_at, settled_amount {_FROM}
""",
    f"""
INSERT INTO creation_attempts (reference, shipment_id, order_id, number, state, calls, waybill)
SELECT reference, id, order_id, 1, 'accepted', 1, waybill {_FROM}
""",
)
_BECOMES = """
UPDATE shipments SET status = $2, status_at = $3, delivered_at = CASE $2 WHEN 'delivered' THEN $3::timestamptz END,
    revision = revision + 1
WHERE id = $1
"""
