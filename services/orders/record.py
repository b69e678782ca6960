"""The row of an order as code works with it, read under its lock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from shared.contracts.levels import main_level
from shared.db import Session


@dataclass(frozen=True)
class Order:
    """What the rules need of an order. Contents (lines, address) are read where they are shown or sent."""

    id: UUID
    code: str
    customer_id: UUID
    phone: str
    level: str
    level_since: datetime
    sequence: int
    owner_id: UUID | None
    owner_code: str
    team: str
    assignment: int
    assigned_at: datetime | None
    channel: str
    campaign: str
    landing_page: str
    marketer: str
    product: str
    cohort_at: datetime
    asked_to_be_called: bool
    marks: tuple[str, ...]
    version: int
    closed_at: datetime | None
    closer_id: UUID | None
    closer_code: str
    shipment_id: UUID | None
    shipment_sequence: int
    handed_over_at: datetime | None

    @property
    def main(self) -> str:
        return main_level(self.level)


COLUMNS: Final = ", ".join(Order.__dataclass_fields__)

_LOCK = text(f"SELECT {COLUMNS} FROM orders WHERE id = :id FOR UPDATE")
_LOCK_MANY = text(f"SELECT {COLUMNS} FROM orders WHERE id = ANY(:ids) ORDER BY id FOR UPDATE")

_LOCK_FREE = text(f"SELECT {COLUMNS} FROM orders WHERE id = ANY(:ids) ORDER BY id FOR UPDATE SKIP LOCKED")


def read(row: object) -> Order:
    """A result row with `COLUMNS` as an order."""
    values = dict(row._mapping)  # type: ignore[attr-defined]  # a SQLAlchemy row
    return Order(**{**values, "marks": tuple(values["marks"])})


async def lock(session: Session, order_id: UUID) -> Order | None:
    """The order, held until the transaction ends; None if there is none."""
    row = (await session.execute(_LOCK, {"id": order_id})).one_or_none()
    return read(row) if row is not None else None


async def lock_many(session: Session, ids: list[UUID]) -> dict[UUID, Order]:
    """Those of the orders that exist, locked in the order of their ids so that two of these never wait in a circle."""
    rows = (await session.execute(_LOCK_MANY, {"ids": ids})).all()
    return {row.id: read(row) for row in rows}


async def lock_free(session: Session, ids: list[UUID]) -> dict[UUID, Order]:
    """Those of the orders that nobody holds just now, locked: who works on one holds none of the others up."""
    rows = (await session.execute(_LOCK_FREE, {"ids": ids})).all()
    return {row.id: read(row) for row in rows}
