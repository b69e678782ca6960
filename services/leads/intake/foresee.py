"""What would become of arrivals now, without a lock and without a trace: for trying things out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TypeAlias

from services.leads.driver import Connection
from services.leads.intake import numbers
from services.leads.intake.windows import Arrival, Judged, Number, Window, judge

Opened: TypeAlias = dict[tuple[str, str], Window]
"""Windows by number and key group."""


async def foresee(
    connection: Connection, arrivals: Iterable[Arrival], *, window: timedelta, opened: Opened | None = None
) -> Judged:
    """Judges arrivals as `accept` would at this moment.

    Args:
        window: length of the duplicate window as long as the company has not set one.
        opened: windows that arrivals before these would have opened.
    """
    wanted = list(arrivals)
    phones = {phone for one in wanted for phone in one.phones}
    known = await numbers.look(connection, phones, default=window)
    there = dict(known.numbers)
    for (phone, _), one in (opened or {}).items():
        if phone in phones:
            there[phone] = there.get(phone, Number(phone)).with_window(one)
    return judge(wanted, there, policy=known.policy)
