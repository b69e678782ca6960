"""The ledger of stock: receipts, reservations at closing, releases, issues at pick-up.

One writer at a time: every function here first takes the stock lock and holds it until the transaction ends. Locks are
taken in one order by everybody, so that nobody waits in a circle: the order's row, the stock lock, then rows of
fulfilments, also of other orders. That a unit is not sold twice does not rest on the lock alone: `stock_levels` refuses
to reserve more than there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.orders.goods.allotment import Needs, allot, missing
from services.orders.goods.products import UnknownProducts
from shared.db import Session

Kind = Literal["reserve", "release", "issue"]

_SIGN: Final[Mapping[Kind, tuple[int, int]]] = {"reserve": (0, 1), "release": (0, -1), "issue": (-1, -1)}
"""What one unit does to the stock on hand and to the reserved part of it."""
_STATE: Final[Mapping[Kind, str]] = {"reserve": "reserved", "release": "released", "issue": "issued"}

_HOLD = text("SELECT pg_advisory_xact_lock(hashtext('chot:stock'))")
_QUEUE_UP = text(
    """
INSERT INTO reservations (order_id, version, state, queued_at)
SELECT id, version, 'waiting', closed_at FROM orders WHERE id = :id AND closed_at IS NOT NULL
ON CONFLICT (order_id) DO UPDATE SET version = excluded.version, state = 'waiting', queued_at = excluded.queued_at
WHERE reservations.version < excluded.version
"""
)
_RESERVATION = text("SELECT state, version FROM reservations WHERE order_id = :id")
_STATES = text("SELECT order_id, state FROM reservations WHERE order_id = ANY(CAST(:ids AS uuid[]))")
_NEEDS = text("SELECT sku, sum(quantity) AS units FROM order_lines WHERE order_id = :id GROUP BY sku")
_AWAITED = text(
    """
SELECT DISTINCT l.sku FROM reservations mine
JOIN reservations r ON r.state = 'waiting' AND (r.queued_at, r.order_id) < (mine.queued_at, mine.order_id)
JOIN order_lines l ON l.order_id = r.order_id AND l.sku = ANY(:skus)
WHERE mine.order_id = :id
"""
)
_AVAILABLE = text("SELECT sku, on_hand - reserved AS units FROM stock_levels WHERE sku = ANY(:skus)")
_WAITING = text(
    """
SELECT r.order_id, l.sku, sum(l.quantity) AS units
FROM reservations r JOIN order_lines l ON l.order_id = r.order_id
WHERE r.state = 'waiting'
  AND EXISTS (SELECT 1 FROM order_lines x WHERE x.order_id = r.order_id AND x.sku = ANY(:skus))
GROUP BY r.queued_at, r.order_id, l.sku ORDER BY r.queued_at, r.order_id
"""
)
_CHANGE = text(
    """
UPDATE stock_levels SET on_hand = stock_levels.on_hand + t.on_hand, reserved = stock_levels.reserved + t.reserved
FROM unnest(CAST(:skus AS text[]), CAST(:on_hand AS integer[]), CAST(:reserved AS integer[])) AS t (sku, on_hand, reserved)
WHERE stock_levels.sku = t.sku
"""
)
_RECEIVE = text(
    """
INSERT INTO stock_levels (sku, on_hand)
SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:units AS integer[]))
ON CONFLICT (sku) DO UPDATE SET on_hand = stock_levels.on_hand + excluded.on_hand
"""
)
_KNOWN = text("SELECT sku FROM products WHERE sku = ANY(:skus)")
_RECORD = text(
    """
INSERT INTO stock_movements (id, sku, kind, on_hand, reserved, order_id, version, at, actor_code, note)
SELECT m.id, m.sku, :kind, m.on_hand, m.reserved, m.order_id, r.version, :at, :actor, :note
FROM unnest(CAST(:ids AS uuid[]), CAST(:skus AS text[]), CAST(:on_hand AS integer[]), CAST(:reserved AS integer[]),
    CAST(:orders AS uuid[])) AS m (id, sku, on_hand, reserved, order_id)
LEFT JOIN reservations r ON r.order_id = m.order_id
"""
)
_FOLLOW = text(
    "UPDATE reservations r SET version = o.version FROM orders o WHERE r.order_id = :id AND o.id = r.order_id"
)
_MARK = text("UPDATE reservations SET state = :state WHERE order_id = ANY(CAST(:ids AS uuid[]))")


async def reserve(session: Session, order_id: UUID, *, at: datetime) -> tuple[str, ...]:
    """Reserves everything that a closed order needs, or puts it in the queue.

    Returns:
        The SKUs it waits for; none = reserved (or issued, or given back before).
    """
    await session.execute(_HOLD)
    await session.execute(_QUEUE_UP, {"id": order_id})
    held = (await session.execute(_RESERVATION, {"id": order_id})).one_or_none()
    if held is None or held.state != "waiting":
        return ()
    needs = await _needs(session, order_id)
    lacking = await _lacking(session, order_id, needs)
    if lacking:
        return lacking
    await _move(session, "reserve", [(order_id, needs)], at=at)
    return ()


async def exchange(
    session: Session, order_id: UUID, *, before: Needs, at: datetime
) -> tuple[tuple[str, ...], list[UUID]]:
    """Follows an edit of a closed order, whose new lines and version are written already: what it needs more is reserved,
    what it needs less goes to whoever waits. If something lacks, it gives everything back and waits in its old place.

    Args:
        before: what it needed before the edit.

    Returns:
        The SKUs it waits for (none = reserved), and the waiting orders that got units, this one perhaps among them.
    """
    await session.execute(_HOLD)
    held = (await session.execute(_RESERVATION, {"id": order_id})).one_or_none()
    if held is None or held.state not in ("waiting", "reserved"):
        return (), []
    needs = await _needs(session, order_id)
    touched = {*before, *needs}
    if held.state == "reserved":
        more, less = _beyond(needs, before), _beyond(before, needs)
        if not more or not await _lacking(session, order_id, more):
            # Under the old version, because each version gives a SKU back once.
            await _book(session, "release", [(order_id, less)], at=at)
            await session.execute(_FOLLOW, {"id": order_id})
            await _book(session, "reserve", [(order_id, more)], at=at)
            return (), await _serve_queue(session, less, at=at) if less else []
        await _move(session, "release", [(order_id, before)], at=at)
        await session.execute(_MARK, {"ids": [order_id], "state": "waiting"})
    await session.execute(_FOLLOW, {"id": order_id})
    served = await _serve_queue(session, touched, at=at)
    return () if order_id in served else await _lacking(session, order_id, needs), served


async def join(
    session: Session, order_id: UUID, *, other_id: UUID, before: Needs, at: datetime
) -> tuple[tuple[str, ...], list[UUID]]:
    """Passes on to an order what another had reserved whose lines it has now; both orders' lines are as they were and as
    they are, and the version is written already. Nobody in the queue comes between.

    Args:
        other_id: the order that ends; its place in the queue, if it waited, is given up.
        before: what the order needed before it had the other's lines.

    Returns:
        The SKUs it waits for (none = reserved), and the waiting orders that got units.
    """
    await session.execute(_HOLD)
    states = {row.order_id: row.state for row in await session.execute(_STATES, {"ids": [order_id, other_id]})}
    passed = await _needs(session, other_id)
    if states.get(other_id) == "reserved":
        await _move(session, "release", [(other_id, passed)], at=at)
        if states.get(order_id) == "reserved":
            await session.execute(_FOLLOW, {"id": order_id})
            await _book(session, "reserve", [(order_id, passed)], at=at)
            return (), []
    else:
        await session.execute(_MARK, {"ids": [other_id], "state": "released"})
    waits_for, served = await exchange(session, order_id, before=before, at=at)
    # Those behind the other in the queue may be next now.
    return waits_for, [*served, *await _serve_queue(session, passed, at=at)]


def _beyond(wanted: Needs, had: Needs) -> dict[str, int]:
    """How much of each SKU is wanted beyond what was there."""
    return {sku: units - had.get(sku, 0) for sku, units in wanted.items() if units > had.get(sku, 0)}


async def _lacking(session: Session, order_id: UUID, needs: Needs) -> tuple[str, ...]:
    """The SKUs of these that an order cannot have: too few are left, or somebody before it in the queue waits for them."""
    awaited = (await session.execute(_AWAITED, {"id": order_id, "skus": list(needs)})).scalars().all()
    return tuple(sorted({*awaited, *missing(await _available(session, needs), needs)}))


async def release(session: Session, order_id: UUID, *, at: datetime) -> tuple[bool, list[UUID]]:
    """Gives back what an order had reserved, or takes it out of the queue.

    Returns:
        Whether anything changed, and the waiting orders that got the units.
    """
    await session.execute(_HOLD)
    held = (await session.execute(_RESERVATION, {"id": order_id})).one_or_none()
    if held is None or held.state not in ("waiting", "reserved"):
        return False, []
    needs = await _needs(session, order_id)
    if held.state == "waiting":
        await session.execute(_MARK, {"ids": [order_id], "state": "released"})
    else:
        await _move(session, "release", [(order_id, needs)], at=at)
    # Also when it only waited: those behind it in the queue may now be served.
    return True, await _serve_queue(session, needs, at=at)


async def issue(session: Session, order_id: UUID, *, at: datetime) -> bool:
    """The carrier picked the parcel up: its units leave the house (rule D4).

    Returns:
        Whether the units were reserved for it; if not, somebody has to count.
    """
    await session.execute(_HOLD)
    held = (await session.execute(_RESERVATION, {"id": order_id})).one_or_none()
    if held is not None and held.state == "reserved":
        await _move(session, "issue", [(order_id, await _needs(session, order_id))], at=at)
        return True
    return held is not None and held.state == "issued"


async def receive(session: Session, units: Mapping[str, int], *, at: datetime, actor: str, note: str) -> list[UUID]:
    """Takes goods into stock.

    Returns:
        The waiting orders that are now reserved.

    Raises:
        UnknownProducts: a SKU is not in the catalogue.
    """
    await session.execute(_HOLD)
    known = set((await session.execute(_KNOWN, {"skus": list(units)})).scalars())
    unknown = sorted(units.keys() - known)
    if unknown:
        raise UnknownProducts(skus=unknown)
    await session.execute(_RECEIVE, {"skus": list(units), "units": list(units.values())})
    await session.execute(
        _RECORD,
        {
            "kind": "receipt",
            "at": at,
            "actor": actor,
            "note": note,
            "ids": [uuid7() for _ in units],
            "skus": list(units),
            "on_hand": list(units.values()),
            "reserved": [0] * len(units),
            "orders": [None] * len(units),
        },
    )
    return await _serve_queue(session, units, at=at)


async def _serve_queue(session: Session, skus: Iterable[str], *, at: datetime) -> list[UUID]:
    waiting: dict[UUID, dict[str, int]] = {}
    for row in await session.execute(_WAITING, {"skus": list(skus)}):
        waiting.setdefault(row.order_id, {})[row.sku] = row.units
    if not waiting:
        return []
    available = await _available(session, {sku for needs in waiting.values() for sku in needs})
    served = allot(available, waiting.items())
    await _move(session, "reserve", served, at=at)
    return [order_id for order_id, _ in served]


async def _needs(session: Session, order_id: UUID) -> dict[str, int]:
    return {row.sku: row.units for row in await session.execute(_NEEDS, {"id": order_id})}


async def _available(session: Session, skus: Iterable[str]) -> dict[str, int]:
    return {row.sku: row.units for row in await session.execute(_AVAILABLE, {"skus": list(skus)})}


async def _move(session: Session, kind: Kind, orders: Sequence[tuple[UUID, Needs]], *, at: datetime) -> None:
    """Moves everything that some orders need, and with it the state of their reservations."""
    if orders:
        await _book(session, kind, orders, at=at)
        await session.execute(_MARK, {"ids": [order_id for order_id, _ in orders], "state": _STATE[kind]})


async def _book(session: Session, kind: Kind, orders: Sequence[tuple[UUID, Needs]], *, at: datetime) -> None:
    """Writes one kind of movement for some orders into the ledger and its sums."""
    on_hand, reserved = _SIGN[kind]
    lines = [(order_id, sku, units) for order_id, needs in orders for sku, units in needs.items()]
    if not lines:
        return
    total: Counter[str] = Counter()
    for _, sku, units in lines:
        total[sku] += units
    await session.execute(
        _CHANGE,
        {
            "skus": list(total),
            "on_hand": [on_hand * units for units in total.values()],
            "reserved": [reserved * units for units in total.values()],
        },
    )
    await session.execute(
        _RECORD,
        {
            "kind": kind,
            "at": at,
            "actor": "",
            "note": "",
            "ids": [uuid7() for _ in lines],
            "skus": [sku for _, sku, _ in lines],
            "on_hand": [on_hand * units for _, _, units in lines],
            "reserved": [reserved * units for _, _, units in lines],
            "orders": [order_id for order_id, _, _ in lines],
        },
    )
