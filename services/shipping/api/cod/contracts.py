"""What was agreed with carriers about money."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.shipping.api.dependencies import Administrator, ContextDep, Reader
from services.shipping.cod import contracts
from services.shipping.cod.contracts import DAYS_TO_COMPENSATE, DAYS_TO_CREDIT, DAYS_TO_PAY, FeeCheck, Proof, usual
from shared.db import ReadSession
from shared.errors import NotFound, PreconditionFailed
from shared.etag import ExpectedVersion, tag

router = APIRouter(prefix="/v1/cod/contracts", tags=["cod"])


class Terms(BaseModel):
    """What was agreed for one shop at a carrier. Days are calendar days, money is đồng."""

    model_config = ConfigDict(extra="forbid")

    proof: Proof = Field(description="what says that money is home: the carrier's status, a statement, or the bank")
    days_to_pay: int = Field(default=DAYS_TO_PAY, ge=0, le=90, description="from delivery to the money")
    days_to_compensate: int = Field(default=DAYS_TO_COMPENSATE, ge=0, le=180, description="from a loss")
    days_to_credit: int = Field(default=DAYS_TO_CREDIT, ge=0, le=30, description="from the transfer to the bank")
    fee_check: FeeCheck = Field(default="delivery", description="which fee of a statement is compared with the quote")
    fee_tolerance: int = Field(default=0, ge=0, le=10_000_000, description="that a fee may differ")


class ContractView(Terms):
    connection_id: UUID
    carrier: str
    shop_name: str
    agreed: bool = Field(description="false: nothing was entered, these are the carrier's usual terms")
    version: int = Field(description="0 where nothing was entered; also the ETag for If-Match")
    updated_by: str
    updated_at: datetime | None


class ContractList(BaseModel):
    items: list[ContractView]
    next: None = Field(default=None, description="one for each connection, of which a company has a handful")


_COLUMNS: Final = """c.id AS connection_id, c.carrier, c.shop_name, k.proof, k.days_to_pay, k.days_to_compensate,
    k.days_to_credit, k.fee_check, k.fee_tolerance, coalesce(k.version, 0) AS version,
    coalesce(k.updated_by, '') AS updated_by, k.updated_at
FROM carrier_connections c LEFT JOIN cod_contracts k ON k.connection_id = c.id"""
_LIST = text(f"SELECT {_COLUMNS} ORDER BY c.id")
_GET = text(f"SELECT {_COLUMNS} WHERE c.id = :id")
_PUT = text(
    """
INSERT INTO cod_contracts AS k (connection_id, proof, days_to_pay, days_to_compensate, days_to_credit, fee_check,
    fee_tolerance, updated_by)
VALUES (:connection_id, :proof, :days_to_pay, :days_to_compensate, :days_to_credit, :fee_check, :fee_tolerance, :by)
ON CONFLICT (connection_id) DO UPDATE SET proof = excluded.proof, days_to_pay = excluded.days_to_pay,
    days_to_compensate = excluded.days_to_compensate, days_to_credit = excluded.days_to_credit,
    fee_check = excluded.fee_check, fee_tolerance = excluded.fee_tolerance, updated_by = excluded.updated_by,
    version = k.version + 1, updated_at = now()
"""
)
# Their workflows wait for another day now: behind their facts, they are woken some at a time (`reconcile`).
_WAKE = text(
    """
UPDATE shipments SET revision = revision + 1, updated_at = now()
WHERE connection_id = :id AND status IN ('delivered', 'lost') AND settled_at IS NULL
"""
)
_LOCK = text("SELECT id FROM carrier_connections WHERE id = :id FOR NO KEY UPDATE")


@router.get("", summary="What was agreed with each carrier")
async def list_contracts(context: ContextDep, _: Reader) -> ContractList:
    async with context.db.read() as session:
        rows = (await session.execute(_LIST)).mappings().all()
    return ContractList(items=[_view(row) for row in rows])


@router.get("/{connection_id}", summary="What was agreed for one shop")
async def get_contract(connection_id: UUID, context: ContextDep, _: Reader, response: Response) -> ContractView:
    async with context.db.read() as session:
        view = await _one(session, connection_id)
    tag(response, view.version)
    return view


@router.put("/{connection_id}", summary="Enter or change what was agreed")
async def put_contract(
    connection_id: UUID,
    body: Terms,
    context: ContextDep,
    who: Administrator,
    version: ExpectedVersion,
    response: Response,
) -> ContractView:
    """From now on; what was settled stays settled. `If-Match: "0"` where nothing was entered yet."""
    async with context.db.transaction() as session:
        await session.execute(_LOCK, {"id": connection_id})
        before = await _one(session, connection_id)
        if before.version != version:
            raise PreconditionFailed
        await session.execute(_PUT, {"connection_id": connection_id, "by": who.code, **body.model_dump()})
        await session.execute(_WAKE, {"id": connection_id})
        view = await _one(session, connection_id)
    tag(response, view.version)
    return view


async def _one(session: ReadSession, connection_id: UUID) -> ContractView:
    row = (await session.execute(_GET, {"id": connection_id})).mappings().one_or_none()
    if row is None:
        raise NotFound(what="kết nối / connection")
    return _view(row)


def _view(row: Any) -> ContractView:
    agreed = row["proof"] is not None
    terms: contracts.Contract = usual(row["carrier"])
    usual_terms = {name: getattr(terms, name) for name in Terms.model_fields}
    return ContractView.model_validate({**row, **({} if agreed else usual_terms), "agreed": agreed})
