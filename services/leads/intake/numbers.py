"""What is known of numbers, under their locks.

Each number has a row of its own (product group ''), which every transaction that looks at or changes anything of the
number locks first, in the order of the numbers; so its other rows need no order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg

from services.leads.driver import Connection
from services.leads.intake import policy
from services.leads.intake.windows import Number, Policy, Window

# The update changes nothing: it locks and returns rows that were there.
_LOCK: Final = """
INSERT INTO duplicate_windows (phone) SELECT unnest($1::text[])
ON CONFLICT (phone, product_group) DO UPDATE SET phone = excluded.phone
RETURNING phone, anchor_id, opened_at, closes_at, product, ended, product_group, handed_over, flag
"""
_LOOK: Final = """
SELECT phone, anchor_id, opened_at, closes_at, product, ended, product_group, handed_over, flag
FROM duplicate_windows WHERE phone = ANY($1::text[]) AND product_group = ''
"""
# A statement of its own, so that it sees what was committed while the locks were waited for.
_OTHERS: Final = """
SELECT phone, anchor_id, opened_at, closes_at, product, ended, product_group
FROM duplicate_windows WHERE phone = ANY($1::text[]) AND product_group <> ''
"""
_OPEN: Final = """
INSERT INTO duplicate_windows (phone, product_group, anchor_id, opened_at, closes_at, product, ended)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::boolean[])
ON CONFLICT (phone, product_group) DO UPDATE SET anchor_id = excluded.anchor_id, opened_at = excluded.opened_at,
    closes_at = excluded.closes_at, product = excluded.product, ended = excluded.ended
"""
_FORGET: Final = """
UPDATE duplicate_windows d SET anchor_id = NULL, opened_at = NULL, closes_at = NULL, product = '', ended = false
FROM unnest($1::text[], $2::text[]) AS f (phone, product_group)
WHERE (d.phone, d.product_group) = (f.phone, f.product_group)
"""


@dataclass(frozen=True, slots=True)
class Known:
    """Locked numbers, and the setting by which they are judged."""

    numbers: dict[str, Number]
    policy: Policy

    def of(self, phones: Iterable[str]) -> list[Number]:
        return [self.numbers[phone] for phone in phones]


async def lock(connection: Connection, phones: Iterable[str], *, default: timedelta) -> Known:
    """Locks numbers until the commit and returns what is known of each.

    Args:
        default: length of the window as long as the company has not set one.
    """
    wanted = sorted(set(phones))
    return await _known(connection, wanted, await connection.fetch(_LOCK, wanted), default=default)


async def look(connection: Connection, phones: Iterable[str], *, default: timedelta) -> Known:
    """What is known of numbers at this moment, without holding them: for trying things out. Unknown ones are left out."""
    wanted = sorted(set(phones))
    return await _known(connection, wanted, await connection.fetch(_LOOK, wanted), default=default)


async def _known(connection: Connection, wanted: list[str], own: list[asyncpg.Record], *, default: timedelta) -> Known:
    # Read under the locks: whoever opened a window of a product group for one of these numbers had this setting or an
    # earlier one.
    setting = await policy.present(connection, default=default)
    others = await connection.fetch(_OTHERS, wanted) if setting.grouped else []
    windows: dict[str, list[Window]] = defaultdict(list)
    for row in (*own, *others):
        if row["anchor_id"] is not None:
            windows[row["phone"]].append(_window(row))
    numbers = {
        row["phone"]: Number(row["phone"], tuple(windows[row["phone"]]), row["handed_over"], row["flag"]) for row in own
    }
    return Known(numbers, setting.policy)


async def open_windows(connection: Connection, opened: Mapping[tuple[str, str], Window]) -> None:
    """Writes windows by number and key group; the numbers must be locked."""
    rows = [
        (phone, group, one.anchor_id, one.opened_at, one.closes_at, one.product, one.ended)
        for (phone, group), one in opened.items()
    ]
    if rows:
        await connection.execute(_OPEN, *([*column] for column in zip(*rows, strict=True)))


async def forget_windows(connection: Connection, keys: Iterable[tuple[str, str]]) -> None:
    """As if the numbers never had these windows; the numbers must be locked."""
    rows = list(keys)
    if rows:
        await connection.execute(_FORGET, *([*column] for column in zip(*rows, strict=True)))


def _window(row: asyncpg.Record) -> Window:
    return Window(
        row["anchor_id"], row["opened_at"], row["closes_at"], row["product"], row["ended"], row["product_group"]
    )
