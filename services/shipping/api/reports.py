"""Statuses that people enter, for carriers that tell nothing themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.shipping import facts
from services.shipping.api.dependencies import ContextDep, LanguageDep, Writer
from services.shipping.api.schemas import ShipmentView
from services.shipping.api.shipments import visible_shipment
from services.shipping.carriers.answers import Report
from services.shipping.carriers.registry import CARRIERS
from services.shipping.facts import Fact
from services.shipping.problems import CarrierTellsItself, NoLabel, StatusFromTheFuture, UnknownStatus
from services.shipping.work import work
from shared.given import GivenInstant

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])

AHEAD: Final = timedelta(minutes=5)
"""A clock on a desk may be wrong by that much."""


class EnteredStatus(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: str = Field(description="a code of the carrier's table, GET /v1/carrier-codes", examples=["delivered"])
    at: GivenInstant | None = Field(default=None, description="when it happened; null: now")
    note: str = Field(default="", max_length=200)


@router.post("/{shipment_id}/statuses", summary="Say how a parcel stands, where its carrier does not")
async def enter_status(
    shipment_id: UUID, body: EnteredStatus, context: ContextDep, who: Writer, language: LanguageDep
) -> ShipmentView:
    """For the company's own couriers and for carriers without an interface. The timeline shows it as a person's; a later
    one corrects an earlier one."""
    async with context.db.read() as session:
        shipment = await visible_shipment(context, session, shipment_id, who, language)
    if not shipment.waybill:
        raise NoLabel
    carrier = CARRIERS[shipment.carrier]
    if carrier.capabilities.callbacks or carrier.capabilities.track:
        raise CarrierTellsItself(carrier=carrier.title)
    if body.status not in carrier.codes.statuses:
        raise UnknownStatus(code=body.status, known=", ".join(carrier.codes.statuses))
    now = context.now()
    at: datetime = body.at or now
    if at > now + AHEAD:
        raise StatusFromTheFuture
    report = Report(shipment.waybill, shipment.reference, body.status, at, reason=body.note)
    async with work(context.db) as current:
        await facts.apply(current, [Fact(shipment_id, "person", now, report)], now=now, pace=context.pace)
    async with context.db.read() as session:
        return await visible_shipment(context, session, shipment_id, who, language)
