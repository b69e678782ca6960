"""The template to fill in, and the mappings of columns that the company remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.leads.api.dependencies import Importer, Limit
from services.leads.api.import_rows import XLSX
from services.leads.imports import listing, mapping, store
from services.leads.imports.errors import ColumnsWrong
from services.leads.state import PartsDep, RuntimeDep
from services.leads.workbook.columns import FIELDS
from services.leads.workbook.columns import Field as Meaning
from shared.contracts.permissions import LEADS_DISTRIBUTE
from shared.errors import NotFound

router = APIRouter(prefix="/v1/imports", tags=["imports"])

_PEOPLE: Final = text(
    "SELECT code, name FROM staff_members WHERE version > 0 AND active AND department = 'sale' ORDER BY code LIMIT 1000"
)
_FORGET: Final = text("DELETE FROM import_mappings WHERE header_key = :key RETURNING 1")

HeaderKey = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="`header_key` of an import")]


class MappingIn(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"columns": {"Liên hệ KH": "phone", "Mã nội bộ": None}}})

    columns: dict[str, Meaning | None] = Field(
        max_length=mapping.MAX_COLUMNS,
        description=f"name of a column → {', '.join(FIELDS)}, or null: kept, not read; others are read by their names",
    )


class MappingOut(BaseModel):
    header_key: str
    labels: list[str] = Field(description="names of the columns of files with this header")
    columns: dict[str, Meaning | None]
    updated_by: str
    updated_at: datetime


class MappingPage(BaseModel):
    items: list[MappingOut]
    next: str | None


@router.get("/template.xlsx", response_class=Response, responses={200: {"content": {XLSX: {}}}})
async def download_template(who: Importer, runtime: RuntimeDep, parts: PartsDep) -> Response:
    """A workbook to fill in, with an example and the known sources, products and, for who may distribute, colleagues to
    choose from."""
    known = (await parts.sources.by_name()).values()
    people: list[tuple[str, str]] = []
    if who.may(LEADS_DISTRIBUTE):
        async with runtime.db.read() as session:
            people = [(row.code, row.name) for row in await session.execute(_PEOPLE)]
    content = await asyncio.to_thread(
        _template,
        products=sorted({source.product for source in known} - {""}),
        sources=sorted(source.name for source in known),
        people=people,
    )
    return Response(
        content, media_type=XLSX, headers={"Content-Disposition": 'attachment; filename="mau-nhap-so.xlsx"'}
    )


def _template(*, products: Sequence[str], sources: Sequence[str], people: Sequence[tuple[str, str]]) -> bytes:
    from services.leads.workbook.template import template  # here: openpyxl is 12 MiB, and takes a moment to load

    return template(products=products, sources=sources, people=people)


@router.get("/mappings")
async def list_mappings(_: Importer, runtime: RuntimeDep, limit: Limit = 50, after: str | None = None) -> MappingPage:
    """How the columns of files are read, for each header that somebody has said it of; the whole company shares them."""
    async with runtime.db.read() as session:
        items = [_out(row) for row in await listing.mappings(session, after=after, limit=limit)]
    return MappingPage(items=items, next=items[-1].header_key if len(items) == limit else None)


@router.put("/mappings/{header_key}")
async def put_mapping(header_key: HeaderKey, body: MappingIn, who: Importer, runtime: RuntimeDep) -> MappingOut:
    """Says how the columns of the next files with this header are read."""
    meanings = [meaning for meaning in body.columns.values() if meaning]
    if len(set(meanings)) < len(meanings):
        raise ColumnsWrong(columns=", ".join(meanings), known=", ".join(body.columns))
    async with runtime.db.read() as session:
        known = await listing.mapping(session, header_key)
    pool = await runtime.db.driver()
    labels = known.labels if known else list(body.columns)
    await store.remember(pool, header_key, labels, body.columns, by=who.code)
    async with runtime.db.read() as session:
        return _out(await listing.mapping(session, header_key))


@router.delete("/mappings/{header_key}", status_code=204)
async def delete_mapping(header_key: HeaderKey, _: Importer, runtime: RuntimeDep) -> None:
    """Forgets it: the columns are read by their names again."""
    async with runtime.db.transaction() as session:
        if (await session.execute(_FORGET, {"key": header_key})).first() is None:
            raise NotFound(what="mapping")


def _out(row: Any) -> MappingOut:
    return MappingOut.model_validate(row._mapping)
