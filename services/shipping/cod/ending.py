"""People end what no later fact will: a difference with a reason, a debt that is given up, a line matched by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from services.shipping.cod import books, ledger, settlement
from services.shipping.cod.problems import DifferenceEnded, LineNotThere, NothingToWriteOff
from services.shipping.cod.reckoning import GIVES_UP
from services.shipping.work import Work
from shared.auth import Principal
from shared.contracts.events.shipping import COD_WRITTEN_OFF, CodWrittenOff, DifferenceEnd
from shared.contracts.permissions import SHIPPING_WRITE_OFF
from shared.contracts.workflows import nudge_settlement
from shared.errors import Forbidden, NotFound


async def resolve(work: Work, difference_id: UUID, *, reason: str, who: Principal, now: datetime) -> None:
    """Ends one difference by a person's word. Twice with the same end changes nothing.

    Raises:
        Forbidden: it gives money up, and the person has no permission for that.
        DifferenceEnded: it mended, or somebody else ended it otherwise.
        NotFound.
    """
    shipment_id = await work.connection.fetchval("SELECT shipment_id FROM cod_differences WHERE id = $1", difference_id)
    if shipment_id is not None:  # the parcel's row first, as wherever its money moves
        await work.connection.fetchval("SELECT id FROM shipments WHERE id = $1 FOR NO KEY UPDATE", shipment_id)
    row = await work.connection.fetchrow(_DIFFERENCE, difference_id)
    if row is None:
        raise NotFound(what="chênh lệch / difference")
    if row["state"] != "open":
        raise DifferenceEnded(state=row["state"])
    gives_up = row["kind"] in GIVES_UP
    if gives_up and not who.may(SHIPPING_WRITE_OFF):
        raise Forbidden(permission=SHIPPING_WRITE_OFF)
    held = ledger.held(row, carrier=row["carrier"], order_id=row["order_id"])
    if gives_up and shipment_id is not None:
        await write_off(work, shipment_id, reason=reason, who=who, now=now)
        return
    end: DifferenceEnd = "written_off" if gives_up else "resolved"
    await ledger.end(work, [held], end, now=now, by=who.code, reason=reason)
    if shipment_id is not None:
        await books.unmark(work, shipment_id)
    elif row["statement_id"] is not None:
        round = await work.connection.fetchval("SELECT round FROM cod_statements WHERE id = $1", row["statement_id"])
        work.send(nudge_settlement(row["statement_id"], round=round))


async def write_off(work: Work, shipment_id: UUID, *, reason: str, who: Principal, now: datetime) -> int:
    """Gives up what the carrier still owes for a parcel: its differences end, and its workflow with them.

    Returns:
        The amount.

    Raises:
        NothingToWriteOff: nothing is owed.
        NotFound.
    """
    reckoned = (await books.compare(work, [shipment_id], now=now, cause="person")).get(shipment_id)
    if reckoned is None:
        raise NotFound(what="vận đơn / shipment")
    account = reckoned.account
    if account.written_off:
        return 0
    owed = max(0, account.due - account.received) if not account.settled else 0
    owed = owed or sum(each.amount for each in reckoned.open if each.kind in GIVES_UP)
    if owed <= 0:
        raise NothingToWriteOff
    row = await work.connection.fetchrow(_WRITE_OFF, shipment_id, owed, reason, who.account_id, who.code, now)
    assert row is not None
    kept = await work.connection.fetch(_OPEN, shipment_id)
    await ledger.end(
        work,
        [ledger.held(each, carrier=row["carrier"], order_id=row["order_id"]) for each in kept],
        "written_off",
        now=now,
        by=who.code,
        reason=reason,
    )
    work.tell(
        COD_WRITTEN_OFF,
        CodWrittenOff(
            shipment_id=shipment_id,
            order_id=row["order_id"],
            at=now,
            amount=owed,
            carrier=row["carrier"],
            by=who.code,
        ),
        subject=shipment_id,
    )
    await books.unmark(work, shipment_id)
    return owed


async def match_line(work: Work, statement_id: UUID, number: int, shipment_id: UUID, *, now: datetime) -> None:
    """Gives a line the parcel that it is about, which the carrier wrote so that no rule finds it.

    Raises:
        LineNotThere: it has one, or the statement does not count.
        NotFound: there is no such parcel at this shop.
    """
    row = await work.connection.fetchrow(settlement.LOCKED, statement_id)
    if row is None:
        raise NotFound(what="bảng đối soát / statement")
    if row["state"] not in ("matched", "doubtful"):
        raise LineNotThere
    theirs = await work.connection.fetchval(_OF_SHOP, shipment_id, row["connection_id"])
    if theirs is None:
        raise NotFound(what="vận đơn của shop này / shipment of this shop")
    if await work.connection.fetchval(_MATCH, statement_id, number, shipment_id) is None:
        raise LineNotThere
    await work.connection.execute("UPDATE cod_statements SET matched = matched + 1 WHERE id = $1", statement_id)
    if row["state"] == "matched":
        await books.compare(work, [shipment_id], now=now, cause="person", statement_id=statement_id)
        await settlement.mend_unknown_lines(work, row, now=now)


_DIFFERENCE: Final = f"""
SELECT {", ".join(f"d.{name.strip()}" for name in ledger.COLUMNS.split(","))}, coalesce(d.carrier, c.carrier) AS carrier,
    s.order_id
FROM cod_differences d LEFT JOIN carrier_connections c ON c.id = d.connection_id
LEFT JOIN shipments s ON s.id = d.shipment_id
WHERE d.id = $1 FOR NO KEY UPDATE OF d
"""
_OPEN: Final = f"SELECT {ledger.COLUMNS} FROM cod_differences WHERE shipment_id = $1 AND state = 'open'"
_WRITE_OFF: Final = """
WITH kept AS (
    INSERT INTO cod_write_offs (shipment_id, amount, reason, by_id, by, at) VALUES ($1, $2, $3, $4, $5, $6)
)
SELECT s.order_id, c.carrier FROM shipments s JOIN carrier_connections c ON c.id = s.connection_id WHERE s.id = $1
"""
_OF_SHOP: Final = "SELECT id FROM shipments WHERE id = $1 AND connection_id = $2 AND waybill <> ''"
_MATCH: Final = """
UPDATE cod_lines SET shipment_id = $3, matched_by = 'person'
WHERE statement_id = $1 AND number = $2 AND shipment_id IS NULL RETURNING number
"""
