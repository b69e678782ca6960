"""What was agreed with a carrier about money: when it pays, and what counts as proof that the money is home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from services.shipping.carriers.capabilities import Settlement
from services.shipping.carriers.registry import CARRIERS

Proof = Literal["status", "statement", "bank"]
FeeCheck = Literal["delivery", "total", "off"]

DAYS_TO_PAY: Final = 10
"""Carriers pay COD out two or three times a week; ten days leave room for a long public holiday."""
DAYS_TO_COMPENSATE: Final = 30
"""What carriers' terms of service give themselves for a parcel that was lost."""
DAYS_TO_CREDIT: Final = 3
"""From a carrier's transfer to the credit at the bank, a week-end between."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What was agreed for one shop at a carrier. Days are calendar days.

    Args:
        proof: what says that money is home: the carrier's own status, a line of a statement, or the bank's credit.
        days_to_pay: from delivery to the money.
        days_to_compensate: from a loss to its compensation.
        days_to_credit: from the carrier's transfer to the bank's credit.
        fee_check: which fee of a statement is compared with the quoted one: that of the delivery, all together, none.
        fee_tolerance: đồng that it may differ.
    """

    proof: Proof
    days_to_pay: int = DAYS_TO_PAY
    days_to_compensate: int = DAYS_TO_COMPENSATE
    days_to_credit: int = DAYS_TO_CREDIT
    fee_check: FeeCheck = "delivery"
    fee_tolerance: int = 0

    @property
    def to_pay(self) -> timedelta:
        return timedelta(days=self.days_to_pay)

    @property
    def to_compensate(self) -> timedelta:
        return timedelta(days=self.days_to_compensate)


def settles_by_status(carrier: str) -> bool:
    """Whether the carrier's own reports say that COD was paid out."""
    return carrier in CARRIERS and CARRIERS[carrier].capabilities.settlement != Settlement.STATEMENT


def usual(carrier: str) -> Contract:
    """What holds where nothing was said: a carrier that reports what it pays out is believed."""
    return Contract(proof="status" if settles_by_status(carrier) else "statement")


STATUS_CARRIERS: Final = tuple(sorted(name for name in CARRIERS if settles_by_status(name)))
"""For statements that choose among many shipments: those whose usual proof is the status."""
