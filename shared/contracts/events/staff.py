"""Facts of the staff service: who works here, under whom, with which permissions, on duty or not."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal
from uuid import UUID

from shared.contracts.base import Contract, Instant, personal
from shared.contracts.events.base import EventType


class AccountChanged(Contract):
    """An account as it stands now: the whole state, so that one event is enough to know it."""

    account_id: UUID
    version: int
    """Grows with every change of the account; a reader keeps the highest."""
    code: str
    """Staff code, e.g. 'NV012': what people and workflows call the person."""
    name: str = personal()
    department: Literal["marketing", "sale", "cod", "administration"]
    group: str
    team: str = ""
    superior_id: UUID | None = None
    permissions: tuple[str, ...] = ()
    active: bool = True
    token_epoch: int = 0
    """Tokens of an earlier epoch are refused."""
    at: Instant


class DutyChanged(Contract):
    """The on-duty switch 'Nhận dữ liệu'."""

    account_id: UUID
    version: int
    """Grows with every switch; a reader keeps the highest."""
    on_duty: bool
    at: Instant
    by: str = ""


class SpecialDay(Contract):
    """A date on which a shift has periods of its own; none: it is not worked."""

    on: date
    periods: tuple[str, ...] = ()


class ShiftTimes(Contract):
    """When a shift ('ca làm việc') is worked."""

    shift_id: UUID
    name: str
    zone: str
    weekdays: tuple[int, ...]
    """1 = Monday … 7 = Sunday."""
    periods: tuple[str, ...]
    """'08:00-12:00', on each of the weekdays; none runs over midnight."""
    works_on_holidays: bool = False
    special_days: tuple[SpecialDay, ...] = ()


class ShiftsChanged(Contract):
    """The shifts of a person as they stand now: the whole state, so that one event is enough to know it."""

    account_id: UUID
    version: int
    """Grows with every change; a reader keeps the highest."""
    shifts: tuple[ShiftTimes, ...] = ()
    """None: the person works at any time, as the on-duty switch says."""
    holidays: tuple[date, ...] = ()
    """Days off of the company from the year before on; the event comes again before they run out."""
    at: Instant
    by: str = ""


ACCOUNT_CHANGED: Final = EventType("staff.account.changed.v1", AccountChanged)
DUTY_CHANGED: Final = EventType("staff.duty.changed.v1", DutyChanged)
SHIFTS_CHANGED: Final = EventType("staff.shifts.changed.v1", ShiftsChanged)
