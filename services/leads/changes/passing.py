"""Windows of a lead that gives up a number: they pass to whoever else has it, or end."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.leads.driver import Connection
from services.leads.intake import numbers
from services.leads.intake.numbers import Known
from services.leads.intake.windows import Arrival, Window, window_of
from services.leads.stages import ends_window

OTHERS: Final = 50
"""Leads of one number looked at; more of them that came later than any that counts is not to be expected."""

_OTHERS: Final = """
SELECT n.phone, l.* FROM unnest($1::text[]) AS n (phone) CROSS JOIN LATERAL (
    SELECT id, received_at, product, level FROM leads WHERE phone = n.phone AND verdict = 'lead' AND id <> $2
    UNION
    SELECT id, received_at, product, level FROM leads
    WHERE other_phones <> '{}' AND other_phones @> ARRAY[n.phone] AND verdict = 'lead' AND id <> $2
    ORDER BY id DESC LIMIT $3
) l
"""


async def give_up(connection: Connection, known: Known, lead_id: UUID, phones: Iterable[str], *, at: datetime) -> None:
    """Takes the windows of a lead from numbers that it has no more; the numbers must be locked.

    The next is the earliest clean lead with the number whose own days, counted from its own arrival, are not over. If
    there is none, the number has no open window; the last lead that had it is still who knows the customer.
    """
    given_up = [
        (phone, window) for phone in phones for window in known.numbers[phone].windows if window.anchor_id == lead_id
    ]
    if not given_up:
        return
    others = await connection.fetch(_OTHERS, sorted({phone for phone, _ in given_up}), lead_id, OTHERS)
    opened: dict[tuple[str, str], Window] = {}
    forgotten = []
    for phone, window in given_up:
        heirs = [
            _window(row, known)
            for row in others
            if row["phone"] == phone and known.policy.concerns(window.product, row["product"])
        ]
        heir = min(
            (one for one in heirs if one.holds(at)),
            key=lambda one: (one.opened_at, one.anchor_id),
            default=max(heirs, key=lambda one: (one.opened_at, one.anchor_id), default=None),
        )
        if heir is None:
            forgotten.append((phone, window.product_group))
        else:
            opened[phone, window.product_group] = heir
    await numbers.open_windows(connection, opened)
    await numbers.forget_windows(connection, forgotten)


def _window(row: asyncpg.Record, known: Known) -> Window:
    own = window_of(Arrival(row["id"], (row["phone"],), row["received_at"], row["product"]), policy=known.policy)
    return Window(own.anchor_id, own.opened_at, own.closes_at, own.product, ends_window(row["level"]))
