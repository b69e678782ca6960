"""Commands for operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field
from temporalio.service import RPCError

from services.shipping.api.dependencies import ContextDep
from services.shipping.problems import WorkflowsAway
from services.shipping.reconcile import reconcile
from shared.auth import Principal, require
from shared.contracts.permissions import OPERATE

router = APIRouter(prefix="/v1/operations", tags=["operations"])


class Reconciled(BaseModel):
    open: int = Field(description="shipments that are not at their end, and connections")
    nudged: int = Field(description="of these: workflow missing, or behind the facts; they were started or woken")


@router.post("/reconcile", summary="Start or wake every workflow that should run")
async def reconcile_shipping(
    request: Request, context: ContextDep, _: Annotated[Principal, Depends(require(OPERATE))]
) -> Reconciled:
    """After a restore of Temporal or of the database, or at any time: repeating it changes nothing."""
    try:
        found = await reconcile(context.db, request.app.state.runtime.temporal)
    except (RPCError, RuntimeError, OSError) as error:
        raise WorkflowsAway from error
    return Reconciled(open=found.open, nudged=found.nudged)
