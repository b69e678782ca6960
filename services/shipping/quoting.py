"""Asks several carriers what a parcel would cost, at the same time, and keeps what they say with the order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.shipping import parcels
from services.shipping.carriers.answers import FeeQuote
from services.shipping.carriers.checking import Breach
from services.shipping.carriers.errors import CarrierError, NotLetIn, Refused
from services.shipping.carriers.parcel import Parcel
from services.shipping.carriers.registry import CARRIERS
from services.shipping.connections import Connection
from services.shipping.context import Context
from services.shipping.work import work

if TYPE_CHECKING:
    import asyncpg

DEADLINE: Final = 8.0
"""Seconds until whoever has not answered is left out: a person waits."""
REFERENCE: Final = "QUOTE"
"""Of the parcel that is asked about; carriers need one in some requests, and nothing is made under it."""

_AWAY: Final = Breach(
    "carrier_away", "Không hỏi được hãng lúc này. Thử lại sau ít phút.", "It cannot be asked just now. Try again later."
)
_NO_QUOTES: Final = Breach("no_quotes", "Hãng không báo giá trước.", "It tells no prices beforehand.")
_NOT_LET_IN: Final = Breach(
    "not_let_in",
    "Hãng không nhận thông tin kết nối. Quản trị viên kiểm tra lại kết nối.",
    "It does not accept the credentials. An administrator looks at the connection.",
)


@dataclass(frozen=True)
class Answer:
    """What one connection says about a parcel: prices, or why there are none.

    Args:
        breaches: the carrier's rules that the parcel breaks, or what else stands in the way.
    """

    connection: Connection
    quotes: Sequence[FeeQuote] = ()
    breaches: Sequence[Breach] = ()


async def quote(
    context: Context, order: asyncpg.Record, order_id: UUID, connections: Sequence[Connection]
) -> Sequence[Answer]:
    """Asks all connections at once; those that do not answer in time are away.

    Args:
        order: a row of shippable_orders.
    """
    answers = await asyncio.gather(*(_ask(context, order, order_id, each) for each in connections))
    now = context.now()
    rows = [
        (order_id, answer.connection.id, each.service, each.fee, each.insurance_fee, each.hours, now)
        for answer in answers
        for each in answer.quotes
    ]
    if rows:
        async with work(context.db) as current:
            await current.connection.execute(_KEEP, *zip(*rows, strict=True))
    return answers


async def checked(
    context: Context, order: asyncpg.Record, order_id: UUID, connection: Connection
) -> tuple[Parcel, Sequence[Breach]]:
    """The parcel as this connection would be told of it, and what it would refuse."""
    pool = await context.db.driver()
    async with pool.acquire() as driver:
        plan = await parcels.plan_of(driver, order_id, connection, pick_up_id=None)
        parcel = await parcels.build(
            driver, order, reference=REFERENCE, cod=order["cod"], connection=connection, plan=plan
        )
        return await parcels.check(driver, parcel, CARRIERS[connection.carrier], shipping_fee=order["shipping_fee"])


async def _ask(context: Context, order: asyncpg.Record, order_id: UUID, connection: Connection) -> Answer:
    parcel, breaches = await checked(context, order, order_id, connection)
    if breaches:
        return Answer(connection, breaches=breaches)
    if not CARRIERS[connection.carrier].capabilities.fee_quote:
        return Answer(connection, breaches=[_NO_QUOTES])
    try:
        async with asyncio.timeout(DEADLINE), context.carrier(connection) as carrier:
            return Answer(connection, quotes=await carrier.quotes(parcel))
    except NotLetIn:
        return Answer(connection, breaches=[_NOT_LET_IN])
    except Refused as error:
        return Answer(connection, breaches=[Breach("refused", error.reason, error.reason)])
    except (CarrierError, TimeoutError):
        return Answer(connection, breaches=[_AWAY])


_KEEP: Final = """
INSERT INTO quotes (order_id, connection_id, service, fee, insurance_fee, hours, quoted_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[], $7::timestamptz[])
ON CONFLICT (order_id, connection_id, service) DO UPDATE SET fee = excluded.fee, insurance_fee = excluded.insurance_fee,
    hours = excluded.hours, quoted_at = excluded.quoted_at
"""
