"""What of a parcel's money is wrong, when it is home, and until when to wait. Pure: no clock, no database.

Four sides: what the customer was to pay (the order's COD, rule D30), what was collected (the carrier's timeline), what
statements say, and what the bank has credited. Money is gross COD; fees are compared apart, with the quote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from services.shipping.cod.contracts import Contract
from shared.contracts.events.shipping import DifferenceKind, ShipmentStatus

BACK: Final = frozenset({"returning", "returned", "cancelled", "pickup_failed"})
"""Nothing was collected and nothing will be: the parcel is on its way back, or never left."""
UNDER_WAY: Final = frozenset({"accepted", "picked_up", "out_for_delivery", "delivery_failed"})
RESTING: Final = frozenset({"delivered", "lost", "returned", "cancelled", "pickup_failed"})
"""The parcel's own way is over."""
PER_SHIPMENT: Final[tuple[DifferenceKind, ...]] = (
    "short",
    "over",
    "double",
    "missing",
    "returned_yet_paid",
    "paid_not_delivered",
    "wrong_fee",
    "compensation_missing",
    "compensation_short",
)
GIVES_UP: Final[frozenset[DifferenceKind]] = frozenset(
    {"short", "missing", "compensation_missing", "compensation_short", "bank_missing", "bank_short", "wrong_net"}
)
"""To end one of these by hand is to give money up, which takes a permission of its own."""


@dataclass(frozen=True, slots=True)
class Paid:
    """What statements say of a parcel, all lines together. Money in đồng."""

    lines: int = 0
    told: bool = False
    """A line has a COD column."""
    cod: int = 0
    paying: int = 0
    """Lines that pay COD."""
    compensation: int = 0
    delivery_fee: int | None = None
    fee: int | None = None
    return_fee: int = 0
    credited: int = 0
    """COD and compensation of statements whose money is on the bank account."""
    credited_at: datetime | None = None
    """When the last of it was known to be there."""
    last: datetime | None = None
    """When the newest of them was paid."""


NOTHING: Final = Paid()


@dataclass(frozen=True, slots=True)
class Account:
    """A parcel and its money."""

    status: ShipmentStatus
    status_at: datetime
    """Since when, by the carrier's time."""
    cod: int
    """What the courier was told to collect."""
    collected: int | None
    """By the carrier's own table, where it was asked."""
    partial: bool
    value: int
    """Of the goods: what a loss is compensated with."""
    quoted_fee: int
    """0 = no quote is known."""
    settled: bool
    """The money was home before."""
    written_off: bool
    contract: Contract
    paid: Paid = NOTHING
    failed_fee: int = 0
    """What the courier was told to ask of a receiver who refuses; the carrier pays it out like COD."""

    @property
    def due(self) -> int:
        """What the carrier has to pay out for it now. A partial delivery of which the carrier's table has not told the
        amount is taken as its statement has it (rule D18)."""
        if self.status == "lost":
            return self.value or self.cod
        if self.status != "delivered":
            return 0
        if self.collected is not None:
            return self.collected
        return min(self.cod, self.received) if self.partial and self.paid.told else self.cod

    @property
    def received(self) -> int:
        """What statements have paid for it; for a lost parcel in either column."""
        return self.paid.cod + (self.paid.compensation if self.status == "lost" else 0)

    @property
    def brought(self) -> int:
        """What has come, by what was agreed to be the proof of it."""
        return self.paid.credited if self.contract.proof == "bank" else self.received

    @property
    def overdue_at(self) -> datetime | None:
        """When money that has not come by then is missing; None where none is due."""
        if self.status == "delivered" and self.due > 0:
            return self.status_at + self.contract.to_pay
        if self.status == "lost" and self.due > 0 and self.contract.proof != "status":
            return self.status_at + self.contract.to_compensate
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """A difference. `amount`: what the carrier owes us; below zero, what we owe it."""

    kind: DifferenceKind
    expected: int
    found: int
    amount: int
    since: datetime


def differences(account: Account, *, now: datetime) -> Iterator[Found]:
    """Everything that is wrong with a parcel's money at a moment; each kind once."""
    if account.written_off:
        return
    yield from _cod(account, now=now)
    yield from _fee(account, now=now)


def _cod(account: Account, *, now: datetime) -> Iterator[Found]:
    paid, due, received = account.paid, account.due, account.received
    if received == due and account.status in ("delivered", "lost"):
        return  # what nearly every line says
    since = paid.last or account.status_at

    def found(kind: DifferenceKind, *, at: datetime | None = None) -> Found:
        return Found(kind, due, received, due - received, at or since)

    late = account.overdue_at is not None and account.overdue_at <= now
    if account.status == "delivered":
        if received > due:
            yield found("double" if paid.paying > 1 else "over")
        elif received < due and received != 0:
            yield found("short")
        elif received < due and late and not account.settled:
            # Also where a line names it without paying for it: some carriers charge in one session and pay in the next.
            yield found("missing", at=account.status_at)
    elif account.status == "lost":
        if received > due:
            yield found("over")
        elif 0 < received < due:
            yield found("compensation_short")
        elif received == 0 and late and not account.settled:
            yield found("compensation_missing", at=account.status_at)
    elif received > account.failed_fee and account.status in BACK:
        yield found("returned_yet_paid")
    elif received > 0 and account.status in UNDER_WAY:
        yield found("paid_not_delivered")


def _fee(account: Account, *, now: datetime) -> Iterator[Found]:
    paid, contract = account.paid, account.contract
    if contract.fee_check == "off" or not account.quoted_fee or account.status not in RESTING:
        return
    charged = paid.fee if contract.fee_check == "total" else paid.delivery_fee
    if charged is None:
        return
    if contract.fee_check == "delivery" and account.status == "delivered" and not account.partial:
        charged += paid.return_fee  # nothing came back that could be charged for
    excess = charged - account.quoted_fee
    if account.status != "delivered":
        excess = max(0, excess)  # what did not arrive may cost less, or nothing
    if abs(excess) > contract.fee_tolerance:
        yield Found("wrong_fee", account.quoted_fee, charged, excess, paid.last or now)


@dataclass(frozen=True, slots=True)
class Home:
    """The money of a parcel is home."""

    amount: int
    at: datetime
    evidence: Literal["statement", "bank"]


def home(account: Account) -> Home | None:
    """Whether statements, or the bank where that was agreed to be the proof, have brought what was due."""
    if account.status not in ("delivered", "lost") or account.paid.last is None or account.due <= 0:
        return None
    if account.brought < account.due:
        return None
    if account.contract.proof == "bank":
        return Home(account.due, account.paid.credited_at or account.paid.last, "bank")
    return Home(account.due, account.paid.last, "statement")


def is_over(account: Account, *, open_differences: bool) -> bool:
    """Nothing is left to wait for: the parcel's way is over, and its money is home or was written off."""
    if account.status not in RESTING or open_differences:
        return False
    if account.written_off or account.settled or account.due <= 0:
        return True
    if account.status == "lost":
        # A carrier that is believed when it reports what it pays reports a compensation as the end of a lost parcel.
        return account.contract.proof == "status"
    return account.status != "delivered"
