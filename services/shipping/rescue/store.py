"""Failed deliveries as rows, and as what is told of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from services.shipping.rescue.standing import Request, Rescue
from services.shipping.rescue.terms import cut_off, terms_of
from services.shipping.work import Work
from shared.contracts.events.shipping_rescue import RESCUE_CHANGED, RescueChanged, RescueStep

if TYPE_CHECKING:
    import asyncpg

_LOCK: Final = """
SELECT r.*, q.id AS request_id, q.wish, q.state AS request_state, q.asked_at AS wished_at, q.day, q.by_hand, q.by_id,
    q.by_code, q.by_desk, s.asked_at, coalesce(s.asked_for_delivery, false) AS asked_for_delivery
FROM (SELECT * FROM rescues WHERE shipment_id = ANY($1::uuid[]) ORDER BY shipment_id, failed_at FOR UPDATE) AS r
LEFT JOIN LATERAL (
    SELECT * FROM rescue_requests WHERE rescue_id = r.id ORDER BY number DESC LIMIT 1
) AS q ON true
LEFT JOIN LATERAL (
    SELECT min(asked_at) AS asked_at, bool_or(wish IN ('deliver_again', 'change_recipient')) AS asked_for_delivery
    FROM rescue_requests WHERE rescue_id = r.id AND state <> 'refused'
) AS s ON true
ORDER BY r.shipment_id, r.failed_at
"""
_FIELDS: Final = """id uuid, shipment_id uuid, order_id uuid, sequence integer, step text, state text, turn integer,
    attempt integer, failed_at timestamptz, held_since timestamptz, reason_code text, reason_vi text, reason_en text,
    told text, cut_off_at timestamptz, decide_by timestamptz, outcome text, closed_at timestamptz, saved boolean,
    known_at timestamptz"""
_INSERT: Final = f"""
INSERT INTO rescues (id, shipment_id, order_id, sequence, step, state, turn, attempt, failed_at, held_since, reason_code,
    reason_vi, reason_en, told, cut_off_at, decide_by, outcome, closed_at, saved, known_at, changed_at)
SELECT r.*, r.known_at FROM jsonb_to_recordset($1::text::jsonb) AS r({_FIELDS})
"""
_UPDATE: Final = f"""
UPDATE rescues SET sequence = r.sequence, step = r.step, state = r.state, turn = r.turn, attempt = r.attempt,
    failed_at = r.failed_at, held_since = r.held_since, reason_code = r.reason_code, reason_vi = r.reason_vi,
    reason_en = r.reason_en, told = r.told, cut_off_at = r.cut_off_at, decide_by = r.decide_by, outcome = r.outcome,
    closed_at = r.closed_at, saved = r.saved, changed_at = r.known_at
FROM jsonb_to_recordset($1::text::jsonb) AS r({_FIELDS}) WHERE rescues.id = r.id
"""
_REQUESTS: Final = """
UPDATE rescue_requests q SET state = r.state,
    ended_at = CASE WHEN r.state NOT IN ('requested', 'accepted') THEN $3::timestamptz END
FROM unnest($1::uuid[], $2::text[]) AS r(id, state) WHERE q.id = r.id AND q.state <> r.state
"""


@dataclass(frozen=True, slots=True)
class Carried:
    """The shipment whose delivery failed, as far as it is told of."""

    shipment_id: UUID
    order_id: UUID
    carrier: str
    waybill: str

    @classmethod
    def of(cls, row: asyncpg.Record) -> Carried:
        """From a locked row of the shipment, with its carrier."""
        return cls(row["id"], row["order_id"], row["carrier"], row["waybill"])


@dataclass(frozen=True, slots=True)
class Change:
    """A failed delivery that is to be written and told.

    Args:
        before: None: it is new.
        sequence: of what is told now.
        reason: Vietnamese and English words for why.
        at: when what is told of happened.
    """

    shipment: Carried
    before: Rescue | None
    after: Rescue
    step: RescueStep
    sequence: int
    reason: tuple[str, str]
    at: datetime

    def event(self) -> RescueChanged:
        rescue, request = self.after, self.after.request
        limits = cut_off(terms_of(self.shipment.carrier), failed_at=rescue.failed_at, held_since=rescue.held_since)
        return RescueChanged(
            rescue_id=rescue.id,
            shipment_id=self.shipment.shipment_id,
            order_id=self.shipment.order_id,
            sequence=self.sequence,
            step=self.step,
            at=self.at,
            state=rescue.state,
            turn=rescue.turn,
            attempt=rescue.attempt,
            failed_at=rescue.failed_at,
            carrier=self.shipment.carrier,
            waybill=self.shipment.waybill,
            reason_code=rescue.reason_code,
            reason_vi=self.reason[0],
            reason_en=self.reason[1],
            cut_off_at=limits.at,
            decide_by=limits.decide_by,
            wish=request.wish if request else "",
            day=request.day if request else None,
            by_hand=request.by_hand if request else False,
            by_id=request.by_id if request else None,
            by=request.by if request else "",
            by_desk=request.by_desk if request else False,
            asked_at=rescue.asked_at,
            outcome=rescue.outcome,
            saved=rescue.saved,
        )

    def fields(self, *, now: datetime) -> dict[str, Any]:
        """Of the row."""
        event = self.event()
        names = ("shipment_id", "order_id", "sequence", "step", "state", "turn", "attempt", "failed_at", "reason_code")
        later = ("reason_vi", "reason_en", "cut_off_at", "decide_by", "outcome", "saved")
        return {
            "id": event.rescue_id,
            **{name: getattr(event, name) for name in (*names, *later)},
            "held_since": self.after.held_since,
            "told": self.after.told,
            "closed_at": self.after.closed_at,
            "known_at": now,
        }


async def held(work: Work, shipment_ids: Sequence[UUID]) -> dict[UUID, list[asyncpg.Record]]:
    """Shipment → the rows of its failed deliveries, the oldest first, locked; the shipment's row is locked before."""
    found: dict[UUID, list[asyncpg.Record]] = defaultdict(list)
    for row in await work.connection.fetch(_LOCK, list(shipment_ids)):
        found[row["shipment_id"]].append(row)
    return found


def read(row: asyncpg.Record) -> Rescue:
    """A row of `held`."""
    request = None
    if row["request_id"] is not None:
        request = Request(
            id=row["request_id"],
            wish=row["wish"],
            state=row["request_state"],
            asked_at=row["wished_at"],
            day=row["day"],
            by_hand=row["by_hand"],
            by_id=row["by_id"],
            by=row["by_code"],
            by_desk=row["by_desk"],
        )
    return Rescue(
        id=row["id"],
        turn=row["turn"],
        attempt=row["attempt"],
        failed_at=row["failed_at"],
        held_since=row["held_since"],
        reason_code=row["reason_code"],
        told=row["told"],
        state=row["state"],
        outcome=row["outcome"],
        closed_at=row["closed_at"],
        saved=row["saved"],
        request=request,
        asked_at=row["asked_at"],
        asked_for_delivery=row["asked_for_delivery"],
    )


async def write(work: Work, changes: Sequence[Change], *, now: datetime) -> None:
    """Writes failed deliveries and what became of their requests, and tells of each. Two that take each other's place do
    not meet: what ends is written before what begins."""
    known = [each for each in changes if each.before is not None]
    for part in (
        [each for each in known if each.after.state == "closed"],
        [each for each in known if each.after.state != "closed"],
    ):
        if part:
            await work.connection.execute(_UPDATE, _json(part, now=now))
    new = [each for each in changes if each.before is None]
    if new:
        await work.connection.execute(_INSERT, _json(new, now=now))
    requests = [each.after.request for each in known if each.after.request is not None]
    if requests:
        await work.connection.execute(_REQUESTS, [each.id for each in requests], [each.state for each in requests], now)
    for each in changes:
        work.tell(RESCUE_CHANGED, each.event(), subject=each.shipment.shipment_id)


def _json(changes: Sequence[Change], *, now: datetime) -> str:
    # The driver's ids are of a class of its own.
    return orjson.dumps([each.fields(now=now) for each in changes], default=str).decode()
