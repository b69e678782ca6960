"""What a call of a telephone system means for an order: logged at once where that is beyond doubt, else waiting for whoever
called to say what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from services.orders import record
from services.orders.actors import SYSTEM, Actor
from services.orders.care import service as care_service
from services.orders.care.processes import Processes
from services.orders.care.reading import lock_care
from services.orders.interactions import ledger
from services.orders.interactions import service as interactions
from services.orders.interactions.service import NewInteraction
from services.orders.record import Order
from services.orders.telephone import linking
from services.orders.telephone.causes import ASK, NOTHING, meaning
from services.orders.telephone.events import Call, CallEvent, call_of
from services.orders.telephone.leaving import LEFT_CARE
from services.orders.telephone.topics import calls_of
from shared.contracts.events.orders_calls import CALL_ENDED, CallEnded
from shared.contracts.levels import CLEAN
from shared.contracts.permissions import ORDERS_CARE
from shared.db import Session, tell_after_commit
from shared.errors import Problem
from shared.outbox import emit

ANSWER_MAY_COME: Final = timedelta(seconds=20)
"""So long after the last we heard of a call that nobody seems to have answered, its answer may still be on the way."""
HANGING: Final = timedelta(hours=4)
"""A call whose end we have not heard of for so long is over; its end was lost."""

_PEEK: Final = text("SELECT system_id, call_id, order_id FROM telephone_calls WHERE id = :id")
_EVENTS: Final = text(
    "SELECT event, recorded_at FROM telephone_events WHERE system_id = :system_id AND call_id = :call_id"
)
_LOCK: Final = text(
    """
SELECT c.id, c.system_id, c.call_id, c.request_id, c.order_id, c.interaction_id, c.state, c.owes_id, c.revision,
    c.started_at, c.answered_at, c.ended_at, c.talk_seconds, c.account_id, c.direction, s.causes
FROM telephone_calls c JOIN telephone_systems s ON s.id = c.system_id WHERE c.id = :id FOR UPDATE OF c
"""
)
_ABOUT: Final = text(
    """
SELECT r.id AS request_id, r.order_id, coalesce(e.account_id, r.account_id) AS account_id, m.code
FROM (SELECT 1) AS one
LEFT JOIN telephone_extensions e ON e.system_id = :system_id AND e.extension = :extension
LEFT JOIN LATERAL (
    SELECT q.id, q.order_id, q.account_id FROM call_requests q
    WHERE q.system_id = :system_id AND (q.id = CAST(:request AS uuid) OR (q.call_id = :call_id AND q.call_id <> ''))
    ORDER BY q.id LIMIT 1
) AS r ON true
LEFT JOIN staff_members m ON m.account_id = coalesce(e.account_id, r.account_id) AND m.version > 0
"""
)
# Whoever calls knows about whom: their own order first, then one in care, then the newest.
_ORDER_OF: Final = text(
    """
SELECT o.id FROM orders o JOIN levels l ON l.code = o.level LEFT JOIN care k ON k.order_id = o.id
WHERE l.kind = 'open' AND (o.phone = :phone
    OR o.customer_id = (SELECT customer_id FROM customer_phones WHERE phone = :phone))
ORDER BY o.owner_id IS NOT DISTINCT FROM CAST(:account_id AS uuid) DESC, coalesce(k.is_open, false) DESC, o.id DESC
LIMIT 1
"""
)
_SAVE: Final = text(
    """
UPDATE telephone_calls SET request_id = :request_id, direction = :direction, phone = :phone, extension = :extension,
    account_id = :account_id, started_at = :started_at, answered_at = :answered_at, ended_at = :ended_at, cause = :cause,
    talk_seconds = :talk_seconds, recording = :recording, order_id = :order_id, interaction_id = :interaction_id,
    state = :state, owes_id = :owes_id, revision = :revision, changed = :again, changed_at = :look_at, attempts = 0,
    error = ''
WHERE id = :id
"""
)


@dataclass(frozen=True)
class _Verdict:
    state: str
    interaction_id: UUID | None = None
    owes_id: UUID | None = None
    look_at: datetime | None = None


async def settle(session: Session, processes: Processes, id: UUID, *, now: datetime) -> None:
    """Looks at the events of a call and writes what follows from them; doing it again changes nothing."""
    seen = (await session.execute(_PEEK, {"id": id})).one_or_none()
    if seen is None:
        return
    call, _ = await _call(session, seen)
    order_id = seen.order_id or await _order_of(session, seen, call)
    order = await record.lock(session, order_id) if order_id is not None else None
    row = (await session.execute(_LOCK, {"id": id})).one()
    call, heard_at = await _call(session, row)  # again: events may have come until the row was locked
    about = await _about(session, row, call)
    verdict = await _Judge(session, processes, row, call, about, heard_at, now).judge(order)
    await _save(session, row, call, about, order, verdict, now=now)
    owner = order.owner_id if order is not None else None
    for account_id in {about.account_id, owner, row.owes_id, verdict.owes_id} - {None}:
        tell_after_commit(session, calls_of(account_id))


async def _call(session: Session, row: Any) -> tuple[Call, datetime]:
    """The call, and when we last heard of it."""
    events = (await session.execute(_EVENTS, {"system_id": row.system_id, "call_id": row.call_id})).all()
    call = call_of(CallEvent.model_validate(event.event) for event in events)
    return call, max(event.recorded_at for event in events)


async def _about(session: Session, row: Any, call: Call) -> Any:
    """Who called, and which click to call it was."""
    try:
        request = UUID(call.request) if call.request else None
    except ValueError:
        request = None
    values = {
        "system_id": row.system_id,
        "extension": call.extension,
        "request": request,
        "call_id": row.call_id,
    }
    return (await session.execute(_ABOUT, values)).one()


async def _order_of(session: Session, row: Any, call: Call) -> UUID | None:
    """The order that a call is about: that of the click to call, else the open one of the number."""
    about = await _about(session, row, call)
    if about.order_id is not None:
        return UUID(str(about.order_id))
    if not call.phone:
        return None
    found: UUID | None = (
        await session.execute(_ORDER_OF, {"phone": call.phone, "account_id": about.account_id})
    ).scalar()
    return found


class _Judge:
    """Decides about one call; its order, if it has one, is locked."""

    def __init__(
        self,
        session: Session,
        processes: Processes,
        row: Any,
        call: Call,
        about: Any,
        heard_at: datetime,
        now: datetime,
    ) -> None:
        self._session = session
        self._processes = processes
        self._row = row
        self._call = call
        self._known_by = heard_at + ANSWER_MAY_COME
        self._now = now
        self._causes: Mapping[str, str] = row.causes
        self._account: UUID | None = about.account_id
        self._actor = SYSTEM
        if about.account_id is not None:  # it is their call; the system only says it for them
            self._actor = Actor("staff", about.account_id, about.code or "", frozenset({ORDERS_CARE}))

    async def judge(self, order: Order | None) -> _Verdict:
        row, call = self._row, self._call
        if row.state == "handled" or row.interaction_id is not None:
            return _Verdict(row.state, row.interaction_id)  # what was decided stays; only its measures grow
        if call.ended_at is None:
            return await self._going(order)
        if order is None:
            return _Verdict("unknown" if call.direction == "in" else "nothing")
        if call.direction is None:
            return _Verdict("nothing")
        logged = await linking.hand_log(
            self._session,
            order.id,
            direction=call.direction,
            account_id=self._account,
            started_at=call.started_at,
            ended_at=call.ended_at,
        )
        if logged is not None:
            return _Verdict("logged", logged)
        if call.answered is None and row.state == "going" and self._now < self._known_by:
            return _Verdict("going", look_at=self._known_by)
        return await (self._incoming(order) if call.direction == "in" else self._outgoing(order))

    async def _going(self, order: Order | None) -> _Verdict:
        """It goes on, or its end was lost."""
        if self._row.state == "waiting":
            if order is not None and self._call.direction is not None:
                return await self._ask(order)
            return self._waiting(order)
        ends = max(self._call.started_at, self._call.answered_at or self._call.started_at) + HANGING
        if self._now < ends:
            return _Verdict("going", look_at=ends)
        if order is None or self._call.direction is None:
            return _Verdict("unknown" if self._call.direction == "in" else "nothing")
        return self._waiting(order)

    async def _incoming(self, order: Order) -> _Verdict:
        if self._call.answered:
            return await self._ask(order)
        return _Verdict("logged", await self._log(order, result=""))

    async def _outgoing(self, order: Order) -> _Verdict:
        meant = meaning(self._call.cause, answered=self._call.answered, own=self._causes)
        if meant == NOTHING:
            return _Verdict("nothing")
        if meant == ASK:
            return await self._ask(order)
        if not await self._in_care(order):
            return _Verdict("logged", await self._log(order, result=""))
        try:
            async with self._session.begin_nested():
                return _Verdict("logged", await self._log_result(order, meant))
        except Problem:
            return self._waiting(order)  # the step has no such result, or asks for more: who called says it

    async def _ask(self, order: Order) -> _Verdict:
        """Care wants a result; out of care there is none to give, and the call stands for itself."""
        if await self._in_care(order):
            return self._waiting(order)
        return _Verdict("logged", await self._log(order, result=""))

    def _waiting(self, order: Order | None) -> _Verdict:
        if self._row.state == "waiting":
            return _Verdict("waiting", owes_id=self._row.owes_id)  # also after it was handed over
        return _Verdict("waiting", owes_id=self._account or (order.owner_id if order is not None else None))

    async def _in_care(self, order: Order) -> bool:
        care = await lock_care(self._session, order.id)
        return order.main == CLEAN and care is not None and care.is_open

    async def _log_result(self, order: Order, result: str) -> UUID:
        made = NewInteraction(
            kind="call",
            direction="out",
            result=result,
            at=min(self._call.started_at, self._now),
            seconds=self._call.talk_seconds,
        )
        logged, _ = await interactions.record(
            self._session, self._processes, order, made, self._actor, now=self._now, source="telephone"
        )
        return logged

    async def _log(self, order: Order, *, result: str) -> UUID:
        """As a fact that asks for no result: care hears of it, whatever step it is at."""
        assert self._call.direction is not None
        entry = ledger.LedgerEntry(
            kind="call",
            direction=self._call.direction,
            at=min(self._call.started_at, self._now),
            recorded_at=self._now,
            result=result,
            reason=LEFT_CARE if self._row.state == "waiting" else "",
            seconds=self._call.talk_seconds,
            source="telephone",
        )
        logged = await ledger.log(self._session, order, entry, self._actor)
        await care_service.touch(self._session, [order.id])
        return logged


async def _save(
    session: Session, row: Any, call: Call, about: Any, order: Order | None, verdict: _Verdict, *, now: datetime
) -> None:
    measured = (
        call.started_at,
        call.answered_at,
        call.ended_at,
        call.talk_seconds,
        order.id if order is not None else None,
        verdict.interaction_id,
    )
    before = (row.started_at, row.answered_at, row.ended_at, row.talk_seconds, row.order_id, row.interaction_id)
    revision = row.revision + (1 if measured != before else 0)
    await session.execute(
        _SAVE,
        {
            "id": row.id,
            "request_id": about.request_id,
            "direction": call.direction,
            "phone": call.phone,
            "extension": call.extension,
            "account_id": about.account_id,
            "started_at": call.started_at,
            "answered_at": call.answered_at,
            "ended_at": call.ended_at,
            "cause": call.cause,
            "talk_seconds": call.talk_seconds,
            "recording": call.recording,
            "order_id": order.id if order is not None else None,
            "interaction_id": verdict.interaction_id,
            "state": verdict.state,
            "owes_id": verdict.owes_id,
            "revision": revision,
            "again": verdict.look_at is not None,
            "look_at": verdict.look_at or now,
        },
    )
    if call.ended_at is None or order is None or call.direction is None or revision == row.revision:
        return
    ended = CallEnded(
        call_id=row.id,
        revision=revision,
        order_id=order.id,
        direction=call.direction,
        started_at=call.started_at,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
        talk_seconds=call.talk_seconds,
        staff_id=about.account_id,
        staff_code=about.code or "",
        interaction_id=verdict.interaction_id,
    )
    await emit(session, CALL_ENDED, ended, subject=order.id)
