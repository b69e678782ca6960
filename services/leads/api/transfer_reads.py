"""How transfers are looked at, the same for distributions and hand-overs: the list, one of them, its rows."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.leads.api import transfers
from services.leads.api.dependencies import Distributor, Limit
from services.leads.api.transfers import TransferOut, TransferPage, TransferRowPage
from services.leads.state import RuntimeDep
from services.leads.transfers.plan import Kind
from shared.errors import language_of


def add_reads(router: APIRouter, kind: Kind) -> None:
    """Adds the routes to the router of a kind, behind those whose paths are words."""

    @router.get("")
    async def list_confirmed(
        _: Distributor, runtime: RuntimeDep, request: Request, limit: Limit = 50, after: UUID | None = None
    ) -> TransferPage:
        """Those that were confirmed, the newest first."""
        return await transfers.page_of(
            await runtime.db.driver(), kind, after=after, limit=limit, language=language_of(request)
        )

    @router.get("/{transfer_id}")
    async def get_one(transfer_id: UUID, _: Distributor, runtime: RuntimeDep, request: Request) -> TransferOut:
        """One of them, with its progress."""
        return await transfers.shown(await runtime.db.driver(), kind, transfer_id, language_of(request))

    @router.get("/{transfer_id}/rows")
    async def list_rows(
        transfer_id: UUID,
        _: Distributor,
        runtime: RuntimeDep,
        limit: Limit = 200,
        after: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
        result: str | None = None,
    ) -> TransferRowPage:
        """Which lead goes to whom, in the order dealt out, with its result; those without one are not done."""
        return await transfers.rows_of(runtime, kind, transfer_id, after=after, result=result, limit=limit)
