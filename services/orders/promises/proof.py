"""The daily proof that no promise was dropped: everything open has somebody or something that comes back to it.

Each day after 03:00 local time one process writes a row; its three figures must be 0. What they count stands beside it,
so that an operator can begin where it hurts; and it is an error in the log and a metric (`chot_promises_dropped`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError

from services.orders.clock import Clock
from services.orders.reconcile import cares_without_workflow
from shared.db import Database, ReadSession, Session
from shared.telemetry import PROMISES_DROPPED, logger

log = logger(__name__)

HOUR: Final = 3
"""Local hour after which the proof of a day is made: nobody calls, nothing is due."""
LOOK: Final = 600.0
"""Seconds between looks whether today's was made."""
LATE: Final = timedelta(minutes=10)
"""What should have been looked at so long ago was forgotten: wake-ups are spread over one minute, reconcile needs two."""
MOST: Final = 1000
"""Findings of each kind that are kept; the figures count all."""

Kind = Literal["without_timer", "open_without_task", "without_workflow"]


class Finding(BaseModel):
    """Something that nobody would have come back to."""

    kind: Kind
    order_id: UUID
    promise_id: UUID | None = None
    since: datetime | None = Field(default=None, description="when it should have been looked at")


class Proof(BaseModel):
    """That no promise was dropped; the middle three figures must be 0."""

    day: date
    made_at: datetime
    open_promises: int
    orders_in_care: int
    without_timer: int = Field(description="open promises that nothing will end")
    open_without_task: int = Field(description="“Đơn không có việc”: orders in care without a task and without a timer")
    without_workflow: int | None = Field(description="open cares that no workflow follows; null: Temporal was away")
    holds: bool = Field(description="all of them are 0")


class ProofPage(BaseModel):
    items: list[Proof]
    next: date | None = Field(description="`before` of the next page; null on the last")


class ProofDetail(Proof):
    findings: list[Finding]


_FIGURES: Final = text(
    """
SELECT (SELECT count(*) FROM promises WHERE ended_at IS NULL) AS open_promises,
    (SELECT count(*) FROM care WHERE is_open) AS orders_in_care
"""
)
_WITHOUT_TIMER: Final = text(
    """
SELECT p.order_id, p.id AS promise_id, p.deadline_at AS since
FROM promises p LEFT JOIN tasks t ON t.order_id = p.order_id AND t.key = p.task_key AND t.closed_at IS NULL
LEFT JOIN care c ON c.order_id = p.order_id
WHERE p.ended_at IS NULL AND (
    t.id IS NULL
    OR (t.origin <> 'care' AND p.deadline_at < :late)
    OR (t.origin = 'care' AND (c.is_open IS NOT TRUE OR c.next_due IS NULL OR (
        p.deadline_at < :late AND c.next_due < :late AND coalesce(c.looked_at, c.changed_at) < :late))))
ORDER BY p.deadline_at, p.id
"""
)
_WITHOUT_TASK: Final = text(
    """
SELECT c.order_id, NULL AS promise_id, coalesce(c.next_due, c.changed_at) AS since FROM care c
WHERE c.is_open AND c.changed_at < :late AND coalesce(c.state ->> 'paused', 'false') = 'false'
    AND (c.next_due IS NULL OR c.next_due < :late AND coalesce(c.looked_at, c.changed_at) < :late)
    AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.order_id = c.order_id AND t.closed_at IS NULL AND t.origin = 'care')
UNION ALL
SELECT o.id, NULL, o.level_since FROM orders o JOIN levels l ON l.code = o.level
WHERE l.kind = 'open' AND coalesce(l.parent, l.code) = 'L1' AND o.owner_id IS NOT NULL AND o.assigned_at < :late
    AND NOT EXISTS (SELECT 1 FROM care c WHERE c.order_id = o.id AND (c.is_open OR c.archived_at IS NOT NULL))
ORDER BY 3, 1
"""
)
_WRITE: Final = text(
    """
INSERT INTO promise_proofs (day, made_at, open_promises, without_timer, open_without_task, without_workflow, orders_in_care)
VALUES (:day, :made_at, :open_promises, :without_timer, :open_without_task, :without_workflow, :orders_in_care)
ON CONFLICT (day) DO NOTHING RETURNING day
"""
)
_WRITE_FINDINGS: Final = text(
    """
INSERT INTO promise_proof_findings (day, number, kind, order_id, promise_id, since)
SELECT :day, * FROM unnest(CAST(:numbers AS integer[]), CAST(:kinds AS text[]), CAST(:orders AS uuid[]),
    CAST(:promises AS uuid[]), CAST(:since AS timestamptz[]))
"""
)
_MADE: Final = text("SELECT 1 FROM promise_proofs WHERE day = :day")
_PAGE: Final = text(
    "SELECT * FROM promise_proofs WHERE CAST(:before AS date) IS NULL OR day < :before ORDER BY day DESC LIMIT :limit"
)
_DETAIL: Final = text("SELECT * FROM promise_proofs WHERE day = :day")
_FINDINGS: Final = text("SELECT * FROM promise_proof_findings WHERE day = :day ORDER BY number")


async def look(db: Database, temporal: Client, *, day: date, now: datetime) -> ProofDetail:
    """How it stands now, without writing it."""
    late = {"late": now - LATE}
    async with db.read() as session:
        figures = (await session.execute(_FIGURES)).one()
        timers = (await session.execute(_WITHOUT_TIMER, late)).all()
        tasks = (await session.execute(_WITHOUT_TASK, late)).all()
    missing: list[UUID] | None
    try:
        missing = await cares_without_workflow(db, temporal)
    except (RPCError, RuntimeError) as error:  # the latter: the client has never reached Temporal since it started
        log.warning("Temporal could not be asked for the proof of the promises", error=str(error)[:200])
        missing = None
    findings = [
        *(Finding(kind="without_timer", **row._mapping) for row in timers[:MOST]),
        *(Finding(kind="open_without_task", **row._mapping) for row in tasks[:MOST]),
        *(Finding(kind="without_workflow", order_id=order_id) for order_id in (missing or [])[:MOST]),
    ]
    return ProofDetail(
        day=day,
        made_at=now,
        open_promises=figures.open_promises,
        orders_in_care=figures.orders_in_care,
        without_timer=len(timers),
        open_without_task=len(tasks),
        without_workflow=len(missing) if missing is not None else None,
        holds=not timers and not tasks and missing == [],
        findings=findings,
    )


async def keep(session: Session, proof: ProofDetail) -> bool:
    """Writes the proof of its day; false if another process was faster."""
    written = await session.execute(_WRITE, proof.model_dump(exclude={"holds", "findings"}))
    if written.first() is None:
        return False
    if proof.findings:
        await session.execute(
            _WRITE_FINDINGS,
            {
                "day": proof.day,
                "numbers": list(range(1, len(proof.findings) + 1)),
                "kinds": [finding.kind for finding in proof.findings],
                "orders": [finding.order_id for finding in proof.findings],
                "promises": [finding.promise_id for finding in proof.findings],
                "since": [finding.since for finding in proof.findings],
            },
        )
    return True


def alarm(proof: Proof) -> None:
    """Tells whoever watches logs and metrics."""
    counts = {
        "without_timer": proof.without_timer,
        "open_without_task": proof.open_without_task,
        "without_workflow": proof.without_workflow or 0,
    }
    for kind, count in counts.items():
        PROMISES_DROPPED.labels(kind).set(count)
    if any(counts.values()):
        log.error("promises were dropped", day=str(proof.day), **counts)


class Prover:
    """Makes each day's proof until cancelled; of several processes one writes it.

    Args:
        zone: the company's, in which a day begins.
        now: the clock.
    """

    def __init__(self, db: Database, temporal: Client, *, zone: ZoneInfo, now: Clock) -> None:
        self._db = db
        self._temporal = temporal
        self._zone = zone
        self._now = now

    async def run(self) -> None:
        while True:
            await self.step()
            await asyncio.sleep(LOOK)

    async def step(self) -> bool:
        """Makes today's proof if it is time and nobody has; whether it did."""
        now = self._now()
        local = now.astimezone(self._zone)
        if local.hour < HOUR:
            return False
        async with self._db.read() as session:
            if (await session.execute(_MADE, {"day": local.date()})).first() is not None:
                return False
        proof = await look(self._db, self._temporal, day=local.date(), now=now)
        async with self._db.transaction() as session:
            if not await keep(session, proof):
                return False
        alarm(proof)
        return True


def _proof(row: Any) -> dict[str, Any]:
    holds = not row.without_timer and not row.open_without_task and row.without_workflow == 0
    return {**row._mapping, "holds": holds}


async def page(session: ReadSession, *, limit: int, before: date | None) -> ProofPage:
    """The proofs, the last day first."""
    rows: Sequence[Any] = (await session.execute(_PAGE, {"limit": limit, "before": before})).all()
    items = [Proof.model_validate(_proof(row)) for row in rows]
    return ProofPage(items=items, next=items[-1].day if len(items) == limit else None)


async def detail(session: ReadSession, day: date) -> ProofDetail | None:
    """The proof of a day with what it found; None if none was made."""
    row = (await session.execute(_DETAIL, {"day": day})).one_or_none()
    if row is None:
        return None
    findings = [
        Finding.model_validate(dict(found._mapping)) for found in await session.execute(_FINDINGS, {"day": day})
    ]
    return ProofDetail(**_proof(row), findings=findings)
