"""The bank's credits: entered, imported, linked to statements."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.shipping.api.dependencies import After, ContextDep, Limit, Writer
from services.shipping.cod import bank, bank_files
from services.shipping.cod.bank import Credit
from services.shipping.cod.problems import CreditBefore, CreditTaken, StatementNotThere
from services.shipping.context import Context
from services.shipping.work import work
from shared.errors import NotFound
from shared.given import GivenDate

router = APIRouter(prefix="/v1/cod/bank-credits", tags=["cod"])

MAX_AMOUNT = 10**13


class NewCredit(BaseModel):
    """One credit as the account's list has it. Money in đồng."""

    model_config = ConfigDict(extra="forbid")

    credited_on: GivenDate
    amount: int = Field(gt=0, lt=MAX_AMOUNT, examples=[12_480_000])
    text: str = Field(max_length=500, examples=["GHTK TT COD PHIEN 20261120-01"])
    reference: str = Field(default="", max_length=100, description="the bank's own number of the transaction")


class CreditView(BaseModel):
    id: UUID
    credited_on: date
    amount: int
    text: str
    reference: str
    statement_id: UUID | None = Field(description="the statement whose money it is")
    linked_by: str = Field(description="'number' (it names the session), 'amount', or a staff code")
    created_by: str
    created_at: datetime


class CreditPage(BaseModel):
    items: list[CreditView]
    next: UUID | None


class CreditsImported(BaseModel):
    rows: int = Field(description="credits in the file; debits are left out")
    added: int
    known: int = Field(description="entered before")
    linked: int = Field(description="of the added ones, those that belong to a statement")


class LinkCredit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    statement_id: UUID


_COLUMNS = "id, credited_on, amount, text, reference, statement_id, linked_by, created_by, created_at"
_LIST = text(
    f"""
SELECT {_COLUMNS} FROM bank_credits
WHERE (CAST(:statement_id AS uuid) IS NULL OR statement_id = :statement_id)
    AND (NOT CAST(:unlinked AS boolean) OR statement_id IS NULL)
    AND (CAST(:after AS uuid) IS NULL OR id < :after)
ORDER BY id DESC LIMIT :limit
"""
)
_SOME = text(f"SELECT {_COLUMNS} FROM bank_credits WHERE id = ANY(:ids) ORDER BY id")
_BY_KEY = text("SELECT id FROM bank_credits WHERE key = ANY(:keys) AND amount = :amount")


@router.get("", summary="Credits, newest first")
async def list_credits(
    context: ContextDep,
    _: Writer,
    statement_id: UUID | None = None,
    unlinked: Annotated[bool, Query(description="only those that belong to no statement yet")] = False,
    limit: Limit = 50,
    after: After = None,
) -> CreditPage:
    async with context.db.read() as session:
        parameters = {"statement_id": statement_id, "unlinked": unlinked, "after": after, "limit": limit + 1}
        rows = (await session.execute(_LIST, parameters)).mappings().all()
    items = [CreditView.model_validate(dict(row)) for row in rows[:limit]]
    return CreditPage(items=items, next=items[-1].id if len(rows) > limit else None)


@router.post("", status_code=201, summary="Enter a credit")
async def add_credit(body: NewCredit, context: ContextDep, who: Writer) -> CreditView:
    """It is given to the statement whose session it names, or whose amount it is. Entered twice, it is refused with the
    one that is there (`bank-credit-entered-before`), so a request whose answer was lost can be repeated."""
    credit = Credit(body.credited_on, body.amount, body.text, body.reference)
    async with work(context.db) as current:
        added = await bank.add(current, [credit], by=who.code, now=context.now())
    if not added:
        async with context.db.read() as session:
            same = {"keys": [credit.key(), credit.further_key], "amount": credit.amount}
            known = (await session.execute(_BY_KEY, same)).scalar_one()
        raise CreditBefore(credit_id=str(known))
    return await _one(context, added[0])


@router.post("/import", summary="Credits of an account from the bank's file")
async def import_credits(
    context: ContextDep,
    who: Writer,
    file: Annotated[UploadFile, File(description="an .xlsx, .xls or .csv with columns for day, amount and text")],
) -> CreditsImported:
    """Money that went out is left out. The same file, or a later one that overlaps it, adds only what is new."""
    credits = await bank_files.read(file.file)
    async with work(context.db) as current:
        added = await bank.add(current, credits, by=who.code, now=context.now())
    async with context.db.read() as session:
        rows = (await session.execute(_SOME, {"ids": added})).mappings().all()
    linked = sum(row["statement_id"] is not None for row in rows)
    return CreditsImported(rows=len(credits), added=len(added), known=len(credits) - len(added), linked=linked)


@router.put("/{credit_id}/statement", summary="Link a credit to a statement")
async def link_credit(credit_id: UUID, body: LinkCredit, context: ContextDep, who: Writer) -> CreditView:
    """A statement may have several credits. Linking twice changes nothing."""
    before = await _one(context, credit_id)
    if before.statement_id == body.statement_id:
        return before
    if before.statement_id is not None:
        raise CreditTaken(statement_id=str(before.statement_id))
    async with work(context.db) as current:
        linked = await bank.link(current, body.statement_id, [credit_id], by=who.code, now=context.now())
    if not linked:
        raise StatementNotThere(state="?")
    return await _one(context, credit_id)


@router.delete("/{credit_id}/statement", status_code=204, summary="Take a credit off its statement")
async def unlink_credit(credit_id: UUID, context: ContextDep, _: Writer) -> Response:
    await _one(context, credit_id)
    async with work(context.db) as current:
        await bank.unlink(current, credit_id, now=context.now())
    return Response(status_code=204)


async def _one(context: Context, credit_id: UUID) -> CreditView:
    async with context.db.read() as session:
        row = (await session.execute(_SOME, {"ids": [credit_id]})).mappings().one_or_none()
    if row is None:
        raise NotFound(what="khoản báo có / credit")
    return CreditView.model_validate(dict(row))
