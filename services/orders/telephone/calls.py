"""Calls as people see them: those whose result is missing, those of numbers that we do not know, those of an order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import text

from services.orders import record
from services.orders.access import sees_numbers
from services.orders.clock import Clock
from services.orders.telephone.topics import CALLS, calls_of
from shared.auth import Principal
from shared.contracts.permissions import LEADS_DISTRIBUTE, ORDERS_READ, PHONES_REVEAL
from shared.db import ReadSession, Session, tell_after_commit
from shared.errors import Mistake, NotFound, Problem
from shared.phone.hiding import hidden
from shared.phone.masking import masked, national
from shared.streams import State, Topic

MADE_BEFORE: Final = timedelta(hours=1)
"""A lead that was made so shortly before a call from its number is about that call."""


class CallNotYours(NotFound):
    vi = "Không tìm thấy cuộc gọi này. Kiểm tra lại mã, hoặc bạn chưa được quyền xem."
    en = "There is no such call, or you may not see it. Check the id."


class NothingToHandle(Problem):
    type = "call-not-open"
    status = 409
    vi = "Cuộc gọi này đã được ghi nhận hoặc xử lý rồi. Tải lại danh sách."
    en = "This call is logged or dealt with already. Load the list again."


class WaitingCall(BaseModel):
    """A call whose result nobody has logged."""

    id: UUID
    order_id: UUID
    order_code: str
    customer: str
    phone: str = Field(description="masked unless the order is yours", examples=["0912***678"])
    direction: str = Field(description="out, in")
    started_at: datetime
    ended_at: datetime | None = Field(description="null: its end was never told")
    talk_seconds: int
    cause: str = Field(description="how it ended, in the telephone system's words")
    recording: str
    owes_id: UUID | None = Field(description="who has to log it; null: whoever comes to hold the order")
    owes_code: str


class WaitingPage(BaseModel):
    items: list[WaitingCall]
    next: UUID | None = Field(description="`after` of the next page; null on the last")


class UnknownCall(BaseModel):
    """Somebody called whose number belongs to no open order: a missed customer, or a new one."""

    id: UUID
    phone: str = Field(description="masked unless you took the call, or may see numbers; empty: hidden")
    started_at: datetime
    answered: bool
    talk_seconds: int
    recording: str
    account_code: str = Field(description="whose telephone rang; empty: none in particular")
    customer_id: UUID | None = Field(description="the number was ours once: a former customer")


class UnknownPage(BaseModel):
    items: list[UnknownCall]
    next: UUID | None


class OrderCall(BaseModel):
    """A call about an order, as its telephone system measured it."""

    id: UUID
    direction: str
    state: str = Field(
        description="going, waiting (for its result), logged, handled, nothing (never reached the customer)"
    )
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    talk_seconds: int
    cause: str
    recording: str
    account_code: str
    interaction_id: UUID | None


class OrderCallPage(BaseModel):
    items: list[OrderCall]
    next: UUID | None


class Handled(BaseModel):
    """What was done about a call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"lead_id": "0193a5b4-7c1e-7d4f-9f39-0c5f6a0b1c2d"}, {"how": "gọi nhầm, không phải khách"}]
        },
    )

    lead_id: UUID | None = Field(default=None, description="the lead that was made of it")
    how: str = Field(default="", max_length=200, description="why nothing further is to be done")

    @model_validator(mode="after")
    def _says_something(self) -> Handled:
        if self.lead_id is None and not self.how.strip():
            raise Mistake(
                "gửi lead đã tạo, hoặc nói vì sao không có", "give the lead that was made, or say why there is none"
            )
        return self


_BELOW: Final = "(SELECT account_id FROM staff_closure WHERE superior_id = :viewer)"
_WAITING: Final = """
SELECT c.id, c.order_id, o.code AS order_code, o.name AS customer, o.phone, c.direction, c.started_at, c.ended_at,
    c.talk_seconds, c.cause, c.recording, c.owes_id, coalesce(m.code, '') AS owes_code, o.owner_id, o.closer_id,
    o.level_since, l.kind = 'open' AS is_open
FROM telephone_calls c JOIN orders o ON o.id = c.order_id JOIN levels l ON l.code = o.level
LEFT JOIN staff_members m ON m.account_id = c.owes_id AND m.version > 0
WHERE c.state = 'waiting' AND {whose} AND (CAST(:after AS uuid) IS NULL OR c.id > :after)
ORDER BY c.id LIMIT :limit
"""
_MINE: Final = text(_WAITING.format(whose="c.owes_id = :viewer"))
_SEEN: Final = text(
    _WAITING.format(whose=f"(:sees_all OR c.owes_id = :viewer OR c.owes_id IN {_BELOW} OR o.owner_id IN {_BELOW})")
)
# Once an order has come from the number, there is nothing left to do about the call.
_UNKNOWN: Final = f"""
SELECT c.id, c.phone, c.started_at, c.answered_at IS NOT NULL OR c.talk_seconds > 0 AS answered, c.talk_seconds,
    c.recording, coalesce(m.code, '') AS account_code, p.customer_id, c.account_id
FROM telephone_calls c LEFT JOIN staff_members m ON m.account_id = c.account_id AND m.version > 0
LEFT JOIN customer_phones p ON p.phone = c.phone
WHERE c.state = 'unknown'
  AND (:everything OR c.account_id = :viewer OR c.account_id IN {_BELOW})
  AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.phone = c.phone AND o.cohort_at > c.started_at - CAST(:before AS interval))
"""
_UNKNOWN_PAGE: Final = text(
    f"{_UNKNOWN} AND (CAST(:after AS uuid) IS NULL OR c.id < :after) ORDER BY c.id DESC LIMIT :limit"
)
_UNKNOWN_COUNT: Final = text(f"SELECT count(*) FROM ({_UNKNOWN} LIMIT 100) AS found")
_OF_ORDER: Final = text(
    """
SELECT c.id, c.direction, c.state, c.started_at, c.answered_at, c.ended_at, c.talk_seconds, c.cause, c.recording,
    coalesce(m.code, '') AS account_code, c.interaction_id
FROM telephone_calls c LEFT JOIN staff_members m ON m.account_id = c.account_id AND m.version > 0
WHERE c.order_id = :id AND c.direction IS NOT NULL AND (CAST(:after AS uuid) IS NULL OR c.id < :after)
ORDER BY c.id DESC LIMIT :limit
"""
)
_PEEK: Final = text("SELECT order_id FROM telephone_calls WHERE id = :id")
_LOCK: Final = text(
    f"""
SELECT c.state, c.order_id, c.owes_id FROM telephone_calls c
WHERE c.id = :id AND (:everything OR c.owes_id = :viewer OR c.account_id = :viewer OR c.account_id IN {_BELOW}
    OR c.owes_id IN {_BELOW})
FOR UPDATE
"""
)
_HANDLE: Final = text(
    """
UPDATE telephone_calls SET state = 'handled', owes_id = NULL, handled_at = :now, handled_by = :by, handled_how = :how,
    lead_id = :lead_id
WHERE id = :id
"""
)
_RINGING: Final = text(
    """
SELECT c.id, c.order_id, o.code AS order_code, o.name AS customer, c.direction, c.phone, c.started_at, c.answered_at,
    c.extension, o.owner_id, o.level
FROM telephone_calls c LEFT JOIN orders o ON o.id = c.order_id
WHERE c.state = 'going' AND c.ended_at IS NULL AND c.direction IS NOT NULL AND c.started_at > :since
  AND (c.account_id = :viewer OR o.owner_id = :viewer)
ORDER BY c.started_at, c.id LIMIT 20
"""
)
_WAITING_COUNT: Final = text("SELECT count(*) FROM telephone_calls WHERE state = 'waiting' AND owes_id = :viewer")
RINGS: Final = timedelta(hours=1)
"""A call that began longer ago is not shown as going on: its end was lost."""


async def waiting(
    session: ReadSession, who: Principal, *, mine: bool, limit: int, after: UUID | None, now: datetime
) -> WaitingPage:
    """Calls without a result, the oldest first."""
    values = {"viewer": who.account_id, "limit": limit, "after": after}
    if not mine:
        values["sees_all"] = who.sees_all
    rows = (await session.execute(_MINE if mine else _SEEN, values)).all()
    items = [_waiting(row, who, now=now) for row in rows]
    return WaitingPage(items=items, next=items[-1].id if len(items) == limit else None)


def _waiting(row: Any, who: Principal, *, now: datetime) -> WaitingCall:
    whole = sees_numbers(who, row._mapping, now=now)
    shown = {
        "customer": row.customer if whole else hidden(row.customer),
        "phone": national(row.phone) if whole else masked(row.phone),
    }
    return WaitingCall.model_validate({**row._mapping, **shown})


async def unknown(session: ReadSession, who: Principal, *, limit: int, after: UUID | None) -> UnknownPage:
    """Calls from numbers of no open order, the newest first."""
    values = {**_sight(who), "limit": limit, "after": after}
    rows = (await session.execute(_UNKNOWN_PAGE, values)).all()
    items = [UnknownCall.model_validate({**row._mapping, "phone": _number(row, who)}) for row in rows]
    return UnknownPage(items=items, next=items[-1].id if len(items) == limit else None)


def _sight(who: Principal) -> dict[str, Any]:
    everything = who.sees_all or who.may(LEADS_DISTRIBUTE)
    return {"viewer": who.account_id, "everything": everything, "before": MADE_BEFORE}


def _number(row: Any, who: Principal) -> str:
    if not row.phone:
        return ""
    whole = row.account_id == who.account_id or who.may(PHONES_REVEAL)
    return national(row.phone) if whole else masked(row.phone)


async def of_order(session: ReadSession, order_id: UUID, *, limit: int, after: UUID | None) -> OrderCallPage:
    """What telephone systems told of an order, the newest first."""
    rows = await session.execute(_OF_ORDER, {"id": order_id, "limit": limit, "after": after})
    items = [OrderCall.model_validate(dict(row._mapping)) for row in rows]
    return OrderCallPage(items=items, next=items[-1].id if len(items) == limit else None)


async def handle(session: Session, call_id: UUID, done: Handled, who: Principal, *, now: datetime) -> None:
    """Nothing further is to be done about a call that waits for its result, or whose number we do not know.

    Raises:
        CallNotYours: there is none, or not for this viewer.
        NothingToHandle: it is logged or handled already.
    """
    order_id = (await session.execute(_PEEK, {"id": call_id})).scalar()
    if order_id is not None:
        await record.lock(session, order_id)
    everything = who.sees_all or who.may(LEADS_DISTRIBUTE)
    values = {"id": call_id, "viewer": who.account_id, "everything": everything}
    row = (await session.execute(_LOCK, values)).one_or_none()
    if row is None:
        raise CallNotYours
    if row.state not in ("waiting", "unknown"):
        raise NothingToHandle
    await session.execute(
        _HANDLE, {"id": call_id, "now": now, "by": who.code, "how": done.how.strip(), "lead_id": done.lead_id}
    )
    for account_id in {who.account_id, row.owes_id} - {None}:
        tell_after_commit(session, calls_of(account_id))


def topic(clock: Clock) -> Topic:
    """What a person's screen shows of calls at once: `calls/{account}`, their own alone.

    `going`: calls at their telephone and of their customers, an incoming one as soon as it rings (the pop-up);
    `waiting`: how many results they owe; `unknown`: how many callers nobody knows, at most 100.
    """

    async def read(session: ReadSession, who: Principal, key: str) -> State | None:
        if key != str(who.account_id):
            return None
        now = clock()
        going = (await session.execute(_RINGING, {"viewer": who.account_id, "since": now - RINGS})).all()
        mine = (await session.execute(_WAITING_COUNT, {"viewer": who.account_id})).scalar_one()
        unknown = (await session.execute(_UNKNOWN_COUNT, _sight(who))).scalar_one()
        return {"going": [_popup(row, who) for row in going], "waiting": mine, "unknown": unknown}

    return Topic(CALLS, ORDERS_READ, read)


def _popup(row: Any, who: Principal) -> dict[str, Any]:
    own = row.owner_id == who.account_id or row.order_id is None
    return {
        "id": str(row.id),
        "order_id": str(row.order_id) if row.order_id is not None else None,
        "order_code": row.order_code,
        "customer": row.customer if own else hidden(row.customer),
        "level": row.level,
        "phone": national(row.phone) if row.phone and own else masked(row.phone) if row.phone else "",
        "direction": row.direction,
        "started_at": row.started_at,
        "answered_at": row.answered_at,
        "state": "talking" if row.answered_at is not None else "ringing",
    }
