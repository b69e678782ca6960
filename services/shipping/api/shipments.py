"""Shipments: lists, the timeline, the carrier's label, cancel, post again."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import text

from services.shipping.api.dependencies import (
    VISIBLE,
    After,
    ContextDep,
    LanguageDep,
    Limit,
    Reader,
    Writer,
    visible_to,
)
from services.shipping.api.schemas import (
    AttemptView,
    CancelShipment,
    RetryShipment,
    ShipmentDetail,
    ShipmentPage,
    ShipmentView,
    shipment_fields,
    timeline_item,
)
from services.shipping.carriers.errors import CarrierError, Refused
from services.shipping.carriers.registry import CARRIERS
from services.shipping.context import Context
from services.shipping.paper.refusing import why_not
from services.shipping.problems import (
    AlreadyAtCarrier,
    CarrierAway,
    CarrierRefused,
    NoLabel,
    NotCancellable,
    NothingToRetry,
    NotOfferedByCarrier,
    NotToBeSent,
    SizeNotOffered,
    UnknownConnection,
)
from services.shipping.statuses import ImpossibleMove, move
from services.shipping.work import work
from shared.auth import Principal
from shared.contracts.events.shipping import ShipmentStatus
from shared.contracts.workflows import nudge_shipment
from shared.db import ReadSession
from shared.errors import Language, NotFound

router = APIRouter(prefix="/v1/shipments", tags=["shipments"])

USUAL_SIZE: Final = "A6"
"""What most shops print labels on."""

_FROM = """
FROM shipments s
JOIN shippable_orders o ON o.order_id = s.order_id
LEFT JOIN carrier_connections c ON c.id = s.connection_id
"""
_SELECT = f"""
SELECT s.id, s.order_id, o.code AS order_code, s.connection_id, coalesce(c.carrier, '') AS carrier, s.reference, s.waybill,
    s.status, s.status_at, s.provisional_status, s.provisional_at, s.reason_code, s.quoted_fee, s.sort_code, s.refusal,
    o.recipient, o.phone,
    o.province, s.cod, s.collected, s.partial, s.fee, s.attention, s.waybill <> '' AND s.order_version < o.version AS
    order_changed, s.handed_over_at, s.delivered_at, s.settled_at, s.settled_amount, s.cancel_requested_at,
    s.cancel_requested_by, s.next_poll_at, s.superseded_at IS NOT NULL AS superseded, s.opened_at
{_FROM}
"""
_LIST = text(
    f"""
{_SELECT}
WHERE {VISIBLE}
    AND (CAST(:status AS text[]) IS NULL OR s.status = ANY(:status))
    AND (CAST(:order_id AS uuid) IS NULL OR s.order_id = :order_id)
    AND (CAST(:connection_id AS uuid) IS NULL OR s.connection_id = :connection_id)
    AND (CAST(:code AS text) IS NULL OR s.waybill = :code OR s.reference = :code OR o.code = :code)
    AND (NOT CAST(:attention AS boolean) OR s.attention <> '{{}}')
    AND (CAST(:after AS uuid) IS NULL OR s.id < :after)
ORDER BY s.id DESC LIMIT :limit
"""
)
_GET = text(f"{_SELECT} WHERE s.id = :id AND {VISIBLE}")
_TIMELINE = text(
    """
SELECT e.carrier_time, e.received_at, e.raw_status, e.status, e.provisional, e.reason_code, e.reason, e.seen_by, e.waybill,
    k.vi, k.en, r.vi AS reason_vi, r.en AS reason_en
FROM timeline_entries e
LEFT JOIN carrier_codes k ON (k.carrier, k.kind, k.code) = (:carrier, 'status', e.raw_status)
LEFT JOIN carrier_codes r ON (r.carrier, r.kind, r.code) = (:carrier, 'reason', e.reason_code)
WHERE e.shipment_id = :id ORDER BY e.carrier_time, e.received_at, e.id
"""
)
_ATTEMPTS = text(
    "SELECT reference, state, calls, called_at, waybill FROM creation_attempts WHERE shipment_id = :id ORDER BY number"
)
_CANCEL = """
UPDATE shipments SET cancel_requested_at = $2, cancel_requested_by = $3, cancel_reason = $4, cancel_sent_at = NULL,
    attention = array_remove(attention, 'cancel_refused'), revision = revision + 1, updated_at = now()
WHERE id = $1 AND status IN ('draft', 'refused', 'accepted') AND handed_over_at IS NULL
RETURNING round
"""
# One that the first carrier may have is not given to another.
_BOUND = """
SELECT a.state = 'unknown' AND s.connection_id <> $2 FROM shipments s JOIN creation_attempts a ON a.reference = s.reference
WHERE s.id = $1
"""
# A disabled connection is chosen anew, unless its carrier may have the parcel: then it is looked up there.
_CONNECT = """
UPDATE shipments s SET connection_id = coalesce($2, (
    SELECT c.id FROM carrier_connections c JOIN creation_attempts a ON a.reference = s.reference
    WHERE c.id = s.connection_id AND (c.state = 'enabled' OR a.state = 'unknown')))
WHERE s.id = $1 AND s.waybill = '' RETURNING s.round
"""


@router.get("", summary="Shipments, newest first")
async def list_shipments(
    context: ContextDep,
    who: Reader,
    language: LanguageDep,
    status: Annotated[list[ShipmentStatus] | None, Query(description="one or several")] = None,
    order_id: UUID | None = None,
    connection_id: UUID | None = None,
    code: Annotated[str | None, Query(max_length=100, description="waybill, reference or order code")] = None,
    attention: Annotated[bool, Query(description="only those that somebody has to look at")] = False,
    limit: Limit = 50,
    after: After = None,
) -> ShipmentPage:
    parameters = {
        **visible_to(who),
        "status": status,
        "order_id": order_id,
        "connection_id": connection_id,
        "code": code,
        "attention": attention,
        "after": after,
        "limit": limit + 1,
    }
    async with context.db.read() as session:
        rows = (await session.execute(_LIST, parameters)).mappings().all()
    now = context.now()
    items = [ShipmentView.model_validate(shipment_fields(row, language=language, now=now)) for row in rows[:limit]]
    return ShipmentPage(items=items, next=items[-1].id if len(rows) > limit else None)


@router.get("/{shipment_id}", summary="One shipment with its timeline")
async def get_shipment(shipment_id: UUID, context: ContextDep, who: Reader, language: LanguageDep) -> ShipmentDetail:
    async with context.db.read() as session:
        return await _detail(context, session, shipment_id, who, language)


@router.get(
    "/{shipment_id}/label",
    summary="The carrier's own label",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}},
)
async def get_label(
    shipment_id: UUID,
    context: ContextDep,
    who: Writer,
    size: Annotated[
        str | None,
        Query(max_length=20, description="one of the carrier's `label_sizes`; without one A6, or the carrier's first"),
    ] = None,
) -> Response:
    """It shows the receiver's name, phone and address, so it takes the permission of those who pack. PDF, or the carrier's
    own page to print."""
    async with context.db.read() as session:
        shipment = await visible_shipment(context, session, shipment_id, who)
    if not shipment.waybill or shipment.connection_id is None:
        raise NoLabel
    ended = shipment.superseded or shipment.cancel_requested_at is not None
    if reason := why_not("cancelled" if ended else shipment.status):
        raise NotToBeSent(reason=reason)
    title, sizes = CARRIERS[shipment.carrier].title, CARRIERS[shipment.carrier].capabilities.label_sizes
    if not sizes:
        raise NotOfferedByCarrier(carrier=title)
    wanted = size or (USUAL_SIZE if USUAL_SIZE in sizes else sizes[0])
    if wanted not in sizes:
        raise SizeNotOffered(what=f"{title}: nhãn / label", size=wanted, sizes=", ".join(sizes))
    connection = await context.connection(shipment.connection_id)
    async with context.carrier(connection) as carrier:
        try:
            label = await carrier.label([shipment.waybill], size=wanted)
        except Refused as error:
            raise CarrierRefused(carrier=title, reason=error.reason) from None
        except CarrierError:
            raise CarrierAway(carrier=title) from None
    disposition = f'inline; filename="{shipment.reference}.pdf"'
    return Response(label.content, media_type=label.media_type, headers={"Content-Disposition": disposition})


@router.post("/{shipment_id}/cancel", status_code=202, summary="Cancel before pick-up")
async def cancel_shipment(
    shipment_id: UUID, body: CancelShipment, context: ContextDep, who: Writer, language: LanguageDep
) -> ShipmentView:
    """The carrier is asked at once, by the shipment's workflow; the status follows from its answer. Asking twice changes
    nothing."""
    async with context.db.read() as session:
        before = await visible_shipment(context, session, shipment_id, who, language)
    if before.cancel_requested_at is None and before.status != "cancelled":
        async with work(context.db) as current:
            round_ = await current.connection.fetchval(_CANCEL, shipment_id, context.now(), who.code, body.reason)
            if round_ is None:
                raise NotCancellable(shipment_status=before.status_label)
            current.send(nudge_shipment(shipment_id, round=round_))
    async with context.db.read() as session:
        return await visible_shipment(context, session, shipment_id, who, language)


@router.post("/{shipment_id}/retry", status_code=202, summary="Post a refused shipment again")
async def retry_shipment(
    shipment_id: UUID, context: ContextDep, who: Writer, language: LanguageDep, body: RetryShipment | None = None
) -> ShipmentView:
    """After the order or the connection was corrected. It goes out with the newest version of the order."""
    async with context.db.read() as session:
        before = await visible_shipment(context, session, shipment_id, who, language)
        wanted = body.connection_id if body else None
        if wanted is not None and not await _is_enabled(session, wanted):
            raise UnknownConnection
    if before.status not in ("refused", "draft"):
        raise NothingToRetry(shipment_status=before.status_label)
    try:
        async with work(context.db) as current:
            if wanted is not None and await current.connection.fetchval(_BOUND, shipment_id, wanted):
                raise AlreadyAtCarrier
            if await move(current, shipment_id, "draft", now=context.now()):
                round_ = await current.connection.fetchval(_CONNECT, shipment_id, wanted)
                current.send(nudge_shipment(shipment_id, round=round_))
    except ImpossibleMove:
        raise NothingToRetry(shipment_status=before.status_label) from None
    async with context.db.read() as session:
        return await visible_shipment(context, session, shipment_id, who, language)


async def _is_enabled(session: ReadSession, connection_id: UUID) -> bool:
    enabled = text("SELECT 1 FROM carrier_connections WHERE id = :id AND state = 'enabled'")
    return (await session.execute(enabled, {"id": connection_id})).scalar() is not None


async def visible_shipment(
    context: Context, session: ReadSession, shipment_id: UUID, who: Principal, language: Language = "vi"
) -> ShipmentView:
    """A shipment, for who may see it. Raises NotFound."""
    row = (await session.execute(_GET, {**visible_to(who), "id": shipment_id})).mappings().one_or_none()
    if row is None:
        raise NotFound(what="vận đơn / shipment")
    return ShipmentView.model_validate(shipment_fields(row, language=language, now=context.now()))


async def _detail(
    context: Context, session: ReadSession, shipment_id: UUID, who: Principal, language: Language
) -> ShipmentDetail:
    view = await visible_shipment(context, session, shipment_id, who, language)
    entries = (await session.execute(_TIMELINE, {"id": shipment_id, "carrier": view.carrier})).mappings().all()
    attempts = (await session.execute(_ATTEMPTS, {"id": shipment_id})).mappings().all()
    return ShipmentDetail(
        **view.model_dump(),
        timeline=[
            timeline_item(entry, carrier=view.carrier, waybill=view.waybill, language=language) for entry in entries
        ],
        attempts=[AttemptView.model_validate(dict(attempt)) for attempt in attempts],
    )
