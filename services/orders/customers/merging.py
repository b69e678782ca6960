"""Two customers turn out to be one person, and within a day perhaps two after all. Every row that moved is recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.actors import SYSTEM, Actor
from services.orders.customers import history, numbers
from services.orders.customers.access import CustomerNotFound
from services.orders.customers.joining import COLUMNS, Profile, differences, joined, parted, restored
from shared.contracts.events.customers import CUSTOMERS_MERGED, CUSTOMERS_UNMERGED, CustomersMerged, CustomersUnmerged
from shared.db import Session
from shared.errors import NotFound, Problem
from shared.outbox import emit

UNMERGE_WITHIN: Final = timedelta(hours=24)
"""How long a merge may be taken back; later too much has been built on it."""


Ensure = Callable[[Session, UUID], Awaitable[None]]
"""Raises when the customer is not for whoever asks."""


class SameCustomer(Problem):
    type = "same-customer"
    status = 422
    vi = "Đây là cùng một khách hàng. Chọn khách hàng khác để gộp."
    en = "This is one and the same customer. Choose another one to merge with."


class AlreadyMerged(Problem):
    type = "already-merged"
    status = 409
    vi = "Khách hàng {customer} vừa được gộp vào {into}. Tải lại rồi gộp với khách đó nếu cần."
    en = "The customer {customer} was merged into {into}. Load it again, and merge with that one if it is still needed."


class NoSuchMerge(NotFound):
    vi = "Không có lần gộp này. Kiểm tra lại mã trong lịch sử khách hàng."
    en = "There is no such merge. Check its id in the history of the customer."


class MergeTooOld(Problem):
    type = "too-late-to-unmerge"
    status = 409
    vi = "Chỉ tách lại được trong 24 giờ sau khi gộp (gộp lúc {at}). Sửa thông tin khách bằng tay."
    en = "A merge is taken back within 24 hours (it was made at {at}). Edit the customer by hand."


class MergedFurther(Problem):
    type = "merged-further"
    status = 409
    vi = "Sau lần gộp này còn lần gộp {later} chưa tách. Tách lần đó trước."
    en = "The merge {later} was built on this one. Take that one back first."


class AlreadyUnmerged(Problem):
    type = "already-unmerged"
    status = 409
    vi = "Lần gộp này đã được tách lại rồi. Tải lại để xem hai khách hàng."
    en = "This merge was taken back already. Load both customers again."


_READ: Final = text(f"SELECT id, version, merged_into, {', '.join(COLUMNS)} FROM customers WHERE id = ANY(:ids)")
_WRITE: Final = text(
    f"""
UPDATE customers SET version = version + 1, merged_into = CAST(:merged_into AS uuid),
    {", ".join(f"{column} = t.{column}" for column in COLUMNS)}
FROM jsonb_to_record(CAST(:profile AS jsonb)) AS t (kind text, name text, tax_code text, note text, preferences jsonb,
    fields jsonb, tags uuid[], do_not_call_at timestamptz, do_not_call_reason text, confirmed_at timestamptz,
    confirmed_by text, confirmed_interaction uuid, blocked_at timestamptz, blocked_by text, blocked_reason text)
WHERE id = :id RETURNING version
"""
)
_BEGIN: Final = text(
    """
INSERT INTO customer_merges (id, kept_id, gone_id, at, by_id, by_code, reason, kept_before, gone_before, kept_after)
VALUES (:id, :kept, :gone, :at, :by_id, :by, :reason, CAST(:kept_before AS jsonb), CAST(:gone_before AS jsonb),
    CAST(:kept_after AS jsonb))
"""
)
# An address that both have stays where it is, and the one that stays learns when it was used last.
_MOVE: Final = text(
    """
WITH phones AS (
    UPDATE customer_phones SET customer_id = :kept WHERE customer_id = :gone RETURNING 'phone' AS kind, phone AS key
), orders AS (
    UPDATE orders SET customer_id = :kept WHERE customer_id = :gone RETURNING 'order', CAST(id AS text)
), contacts AS (
    UPDATE customer_contacts SET customer_id = :kept WHERE customer_id = :gone RETURNING 'contact', CAST(id AS text)
), met AS (
    UPDATE customer_addresses k SET used_at = greatest(k.used_at, g.used_at)
    FROM customer_addresses g, customer_addresses b
    WHERE k.customer_id = :kept AND g.customer_id = :gone AND b.id = k.id
        AND (k.province, k.district, k.ward, k.detail) = (g.province, g.district, g.ward, g.detail)
    RETURNING k.id, g.id AS gone_address, b.used_at
), addresses AS (
    UPDATE customer_addresses SET customer_id = :kept WHERE customer_id = :gone AND id NOT IN (SELECT gone_address FROM met)
    RETURNING 'address', CAST(id AS text)
)
INSERT INTO customer_merge_rows (merge_id, kind, key, used_at)
SELECT CAST(:merge AS uuid), kind, key, CAST(NULL AS timestamptz) FROM (
    SELECT * FROM phones UNION ALL SELECT * FROM orders UNION ALL SELECT * FROM contacts UNION ALL SELECT * FROM addresses
) AS moved (kind, key)
UNION ALL SELECT CAST(:merge AS uuid), 'address_met', CAST(id AS text), used_at FROM met
RETURNING kind, key
"""
)


async def merge(
    session: Session,
    customer_id: UUID,
    *,
    into: UUID,
    actor: Actor = SYSTEM,
    at: datetime | None = None,
    reason: str = "",
) -> UUID | None:
    """Two customers are one person: numbers, orders, contacts, addresses and refusals go to the one that stays.

    Everything of both must be locked (`numbers.lock_both`, `numbers.lock_customers_of`), numbers and orders in their order, so
    that of two merges at once the second finds what the first made and no circle can come about.

    Returns:
        The merge; None if they are one already.

    Raises:
        AlreadyMerged: one of them went into another meanwhile.
        CustomerNotFound: the import that brought one of them was taken back meanwhile.
    """
    if customer_id == into:
        return None
    at = at or datetime.now(UTC)
    await numbers.lock_rows(session, customer_id, into)
    profiles = await _profiles(session, customer_id, into)
    gone, kept = profiles[customer_id], profiles[into]
    both = joined(kept, gone)
    merge_id = uuid7()
    about = {"id": merge_id, "kept": into, "gone": customer_id, "at": at, "by_id": actor.account_id, "by": actor.code}
    kept_as = {"kept_before": _json(kept), "gone_before": _json(gone), "kept_after": _json(both)}
    await session.execute(_BEGIN, {**about, **kept_as, "reason": reason})
    moved = (await session.execute(_MOVE, {"merge": merge_id, "kept": into, "gone": customer_id})).all()
    await _write(session, customer_id, gone, merged_into=into)
    version = await _write(session, into, both)
    await history.keep(
        session,
        into,
        kind="merged",
        changes={"merge": [None, merge_id], "with": [None, customer_id], **differences(kept, both)},
        version=version,
        actor=actor,
        at=at,
        reason=reason,
    )
    orders = tuple(UUID(row.key) for row in moved if row.kind == "order")
    fact = CustomersMerged(merge_id=merge_id, kept_id=into, gone_id=customer_id, at=at, by=actor.code, orders=orders)
    await emit(session, CUSTOMERS_MERGED, fact, subject=into)
    return merge_id


async def merge_by_hand(
    session: Session, customer_id: UUID, *, into: UUID, actor: Actor, at: datetime, reason: str
) -> UUID:
    """Locks everything of both, and merges them.

    Raises:
        SameCustomer: there are not two.
        AlreadyMerged: one of them went into another meanwhile.
    """
    await numbers.lock_customers_of(session, customer_id, into)
    merge_id = await merge(session, customer_id, into=into, actor=actor, at=at, reason=reason)
    if merge_id is None:
        raise SameCustomer
    return merge_id


async def _profiles(session: Session, *ids: UUID) -> Mapping[UUID, Profile]:
    found = {}
    rows = (await session.execute(_READ, {"ids": list(ids)})).all()
    if len(rows) < len(ids):
        raise CustomerNotFound
    for row in rows:
        if row.merged_into is not None:
            raise AlreadyMerged(customer=str(row.id), into=str(row.merged_into))
        found[row.id] = _profile(dict(row._mapping))
    return found


def _profile(values: Mapping[str, Any]) -> Profile:
    return Profile(**{**{column: values[column] for column in COLUMNS}, "tags": tuple(values["tags"])})


async def _write(session: Session, customer_id: UUID, profile: Profile, *, merged_into: UUID | None = None) -> int:
    values = {"id": customer_id, "profile": _json(profile), "merged_into": merged_into}
    version: int = (await session.execute(_WRITE, values)).scalar_one()
    return version


def _json(profile: Profile) -> str:
    return orjson.dumps(asdict(profile), default=str).decode()


_MERGE: Final = text("SELECT * FROM customer_merges WHERE id = :id")
_LOCK_MERGE: Final = text(
    """
SELECT m.*, (
    SELECT l.id FROM customer_merges l
    WHERE (l.kept_id = m.kept_id OR l.gone_id = m.kept_id) AND l.undone_at IS NULL AND (l.at, l.id) > (m.at, m.id)
    ORDER BY l.at DESC, l.id DESC LIMIT 1) AS later
FROM customer_merges m WHERE id = :id FOR UPDATE
"""
)
_END: Final = text("UPDATE customer_merges SET undone_at = :at, undone_by = :by WHERE id = :id")
# What has gone elsewhere since (a corrected number, an order of another customer) stays where it is. An order since then
# belongs to whoever's number it came with; an address since then to whoever's order was closed with it.
_MOVE_BACK: Final = text(
    """
WITH moved AS (
    SELECT kind, key, used_at FROM customer_merge_rows WHERE merge_id = :merge
), contacts AS (
    UPDATE customer_contacts SET customer_id = :gone
    WHERE customer_id = :kept AND id IN (SELECT CAST(key AS uuid) FROM moved WHERE kind = 'contact') RETURNING id
), numbers AS (
    SELECT phone FROM customer_phones p
    WHERE p.customer_id = :kept AND (p.phone IN (SELECT key FROM moved WHERE kind = 'phone')
        OR p.contact_id IN (SELECT CAST(key AS uuid) FROM moved WHERE kind = 'contact'))
), phones AS (
    UPDATE customer_phones SET customer_id = :gone WHERE phone IN (SELECT phone FROM numbers) RETURNING phone
), theirs AS (
    SELECT id, province, district, ward, address FROM orders o
    WHERE o.customer_id = :kept AND (o.id IN (SELECT CAST(key AS uuid) FROM moved WHERE kind = 'order')
        OR o.phone IN (SELECT phone FROM numbers))
), own AS (
    SELECT province, district, ward, address FROM orders o WHERE o.customer_id = :kept AND o.id NOT IN (SELECT id FROM theirs)
), orders AS (
    UPDATE orders SET customer_id = :gone WHERE id IN (SELECT id FROM theirs) RETURNING id
), addresses AS (
    UPDATE customer_addresses a SET customer_id = :gone
    WHERE a.customer_id = :kept AND (a.id IN (SELECT CAST(key AS uuid) FROM moved WHERE kind = 'address')
        OR (a.id > CAST(:merge AS uuid)
            AND (a.province, a.district, a.ward, a.detail) IN (SELECT province, district, ward, address FROM theirs)
            AND (a.province, a.district, a.ward, a.detail) NOT IN (SELECT * FROM own)
            AND NOT EXISTS (SELECT 1 FROM customer_addresses g WHERE g.customer_id = :gone
                AND (g.province, g.district, g.ward, g.detail) = (a.province, a.district, a.ward, a.detail))))
    RETURNING a.id
), met AS (
    UPDATE customer_addresses a SET used_at = m.used_at FROM moved m
    WHERE m.kind = 'address_met' AND a.id = CAST(m.key AS uuid) AND a.used_at <= CAST(:since AS timestamptz) RETURNING a.id
)
SELECT id FROM orders
"""
)


async def unmerge(
    session: Session, merge_id: UUID, *, actor: Actor, now: datetime, reason: str, ensure: Ensure
) -> tuple[UUID, UUID]:
    """Takes a merge back: both are as they were, and what happened since stays with the one whose order or number it is.

    Args:
        ensure: whether the customer that stayed is for whoever asks.

    Returns:
        The customer that stayed and the one that is restored.

    Raises:
        NoSuchMerge, AlreadyUnmerged: there is nothing to take back.
        MergeTooOld: a day is over.
        MergedFurther: a later merge stands on it.
    """
    merged = (await session.execute(_MERGE, {"id": merge_id})).one_or_none()
    if merged is None:
        raise NoSuchMerge
    if merged.undone_at is not None:
        raise AlreadyUnmerged
    await ensure(session, merged.kept_id)
    await numbers.lock_customers_of(session, merged.kept_id, merged.gone_id)
    merged = (await session.execute(_LOCK_MERGE, {"id": merge_id})).one()
    if merged.undone_at is not None:
        raise AlreadyUnmerged
    if merged.later is not None:
        raise MergedFurther(later=str(merged.later))
    if now - merged.at > UNMERGE_WITHIN:
        raise MergeTooOld(at=merged.at)
    kept_id, gone_id = merged.kept_id, merged.gone_id
    before, after, gone = (_kept(merged, column) for column in ("kept_before", "kept_after", "gone_before"))
    present = (await _profiles(session, kept_id))[kept_id]
    rest = parted(present, before=before, after=after)
    back = restored(gone, now=present, after=after)
    rows = {"merge": merge_id, "kept": kept_id, "gone": gone_id, "since": merged.at}
    orders = tuple((await session.execute(_MOVE_BACK, rows)).scalars())
    versions = {kept_id: await _write(session, kept_id, rest), gone_id: await _write(session, gone_id, back)}
    await session.execute(_END, {"id": merge_id, "at": now, "by": actor.code})
    for customer, other, was, became in ((kept_id, gone_id, present, rest), (gone_id, kept_id, gone, back)):
        await history.keep(
            session,
            customer,
            kind="unmerged",
            changes={"merge": [merge_id, None], "with": [other, None], **differences(was, became)},
            version=versions[customer],
            actor=actor,
            at=now,
            reason=reason,
        )
    fact = CustomersUnmerged(
        merge_id=merge_id, kept_id=kept_id, restored_id=gone_id, at=now, by=actor.code, orders=orders
    )
    await emit(session, CUSTOMERS_UNMERGED, fact, subject=kept_id)
    return kept_id, gone_id


def _kept(row: Any, column: str) -> Profile:
    """A profile as it was written down with its merge."""
    values: dict[str, Any] = dict(getattr(row, column))
    for name in ("do_not_call_at", "confirmed_at", "blocked_at"):
        values[name] = datetime.fromisoformat(values[name]) if values[name] else None
    interaction = values["confirmed_interaction"]
    values["confirmed_interaction"] = UUID(interaction) if interaction else None
    values["tags"] = tuple(UUID(tag) for tag in values["tags"])
    return Profile(**values)
