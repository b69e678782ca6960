"""What is known of numbers, under their locks.

Each number has a row of its own (product group ''), which every transaction that looks at or changes anything of the
number locks first, in the order of the numbers; so its other rows need no order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import asyncpg

from services.leads.driver import Connection
from services.leads.intake import policy
from services.leads.intake.windows import Arrival, Judged, Number, Policy, Window, windows_of
from services.leads.writing import COPY_FROM, Table

# The update changes nothing: it locks and returns rows that were there.
_LOCK: Final = """
INSERT INTO duplicate_windows (phone) SELECT unnest($1::text[])
ON CONFLICT (phone, product_group) DO UPDATE SET phone = excluded.phone
RETURNING phone, anchor_id, opened_at, closes_at, product, ended, product_group, handed_over, flag
"""
# The same, but a number that is new opens its window at once. Whether it is new shows in `old` alone.
_CLAIM: Final = """
WITH claimed AS (
    INSERT INTO duplicate_windows (phone, anchor_id, opened_at, closes_at, product)
    SELECT phone, anchor_id, ($6::timestamptz[])[opened], ($6::timestamptz[])[closes], product
    FROM unnest(string_to_array($1, ' '), string_to_array($2, ' ')::uuid[], string_to_array($3, ' ')::integer[],
        string_to_array($4, ' ')::integer[], $5::text[]) AS w (phone, anchor_id, opened, closes, product)
    ON CONFLICT (phone, product_group) DO UPDATE SET phone = excluded.phone
    RETURNING old.phone IS NOT NULL AS known, new.*
)
SELECT phone, anchor_id, opened_at, closes_at, product, ended, product_group, handed_over, flag FROM claimed WHERE known
"""
_LOOK: Final = """
SELECT phone, anchor_id, opened_at, closes_at, product, ended, product_group, handed_over, flag
FROM duplicate_windows WHERE phone = ANY($1::text[]) AND product_group = ''
"""
_THERE: Final = """
SELECT phone FROM duplicate_windows WHERE phone = ANY(string_to_array($1, ' ')) AND product_group = ''
"""
_LOCK_AT_ONCE: Final = f"{_LOOK} ORDER BY phone FOR NO KEY UPDATE NOWAIT"
_NEW: Final = Table(
    "duplicate_windows",
    {
        "phone": "text",
        "anchor_id": "uuid",
        "opened_at": "timestamptz",
        "closes_at": "timestamptz",
        "product": "text",
    },
)
HELD_BY: Final = """
FROM leads l WHERE l.id = ANY($1::uuid[]) AND d.phone = ANY(l.phone || l.other_phones) AND d.anchor_id = l.id
"""
"""The windows `d` that leads opened: they lie under the leads' own numbers, and a number that a lead gives up passes on."""
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


@dataclass(frozen=True, slots=True)
class Claimed:
    """Locked numbers of which something was known, and the windows that those opened of which nothing was."""

    known: Known
    opened: dict[str, Window]


async def claim(
    connection: Connection,
    arrivals: Sequence[Arrival],
    *,
    default: timedelta,
    turn: Callable[[], Awaitable[None]],
) -> Claimed:
    """Locks the numbers of arrivals until the commit. A number of which nothing is known opens the window of its first
    arrival, as if that were a lead: what most come to be is written once; `settle` mends the others. The arrivals have
    their windows afterwards, if the setting by which they were made still holds.

    Args:
        default: length of the window as long as the company has not set one.
        turn: awaited before the locks are taken; what needs none is ready by then.
    """
    setting = (await policy.present(connection, default=default)).policy
    firsts: dict[str, Window] = {}
    for arrival, window in zip(arrivals, windows_of(arrivals, policy=setting), strict=True):
        arrival.window = window
        for phone in arrival.phones:
            firsts.setdefault(phone, window)
    wanted = sorted(firsts)
    if setting.by_product:
        # Their windows lie beside the numbers' own rows.
        await turn()
        return Claimed(_under(setting, arrivals, await lock(connection, wanted, default=default)), {})
    windows = [firsts[phone] for phone in wanted]
    await turn()
    rows = await _write_unknown(connection, wanted, windows) if len(wanted) >= COPY_FROM else None
    if rows is None:
        rows = await _claim(connection, wanted, windows)
    known = _under(setting, arrivals, await _known(connection, wanted, rows, default=default))
    return Claimed(known, {phone: window for phone, window in firsts.items() if phone not in known.numbers})


async def _claim(connection: Connection, wanted: Sequence[str], windows: Sequence[Window]) -> list[asyncpg.Record]:
    """Locks numbers, in their order; one that is new opens its window. Returns those of which something is known."""
    instants = [*{at for window in windows for at in (window.opened_at, window.closes_at)}]
    places = {at: str(place) for place, at in enumerate(instants, 1)}
    # As texts, not as arrays: the driver takes three microseconds for each item of an array.
    columns = (
        " ".join(wanted),
        " ".join([window.anchor_id.hex for window in windows]),
        " ".join([places[window.opened_at] for window in windows]),
        " ".join([places[window.closes_at] for window in windows]),
        [window.product for window in windows],
    )
    return await connection.fetch(_CLAIM, *columns, instants)


async def _write_unknown(
    connection: Connection, wanted: Sequence[str], windows: Sequence[Window]
) -> list[asyncpg.Record] | None:
    """The same for numbers that are mostly new, at half the cost: those that seem to be are written like any new row, in
    their order, and only then the known ones are locked, where nobody has to be waited for.

    None, with nothing written or locked, when others are at one of the numbers just now: then they must be waited for, and
    all be taken in their order.
    """
    there = {row["phone"] for row in await connection.fetch(_THERE, " ".join(wanted))}
    new = [place for place, phone in enumerate(wanted) if phone not in there] if there else range(len(wanted))
    try:
        async with connection.transaction():
            if new:
                opened = [windows[place] for place in new]
                await _NEW.insert_columns(
                    connection,
                    [
                        [wanted[place] for place in new],
                        [window.anchor_id for window in opened],
                        [window.opened_at for window in opened],
                        [window.closes_at for window in opened],
                        [window.product for window in opened],
                    ],
                )
            known = await connection.fetch(_LOCK_AT_ONCE, sorted(there)) if there else []
            if len(known) != len(there):
                raise _GoneMeanwhile
            return known
    except (asyncpg.UniqueViolationError, asyncpg.LockNotAvailableError, _GoneMeanwhile):
        return None


class _GoneMeanwhile(Exception):
    """A number that was known is forgotten: an import was undone."""


def _under(setting: Policy, arrivals: Iterable[Arrival], known: Known) -> Known:
    """What is known; windows that were made by a setting that no longer holds are taken from the arrivals."""
    if known.policy != setting:
        for arrival in arrivals:
            arrival.window = None
    return known


async def settle(connection: Connection, claimed: Claimed, judged: Judged) -> None:
    """Writes what claimed numbers opened, where it is not written yet."""
    there = claimed.opened
    opened = judged.opened
    await open_windows(connection, {key: one for key, one in opened.items() if key[1] or there.get(key[0]) is not one})
    await forget_windows(connection, [(phone, "") for phone in there if (phone, "") not in opened])


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
