"""What a carrier's status and reason codes mean: the shape of the tables that each carrier has as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.contracts.events.shipping import ShipmentStatus


@dataclass(frozen=True)
class StatusMeaning:
    """One row of a carrier's status table.

    Args:
        status: our status, from which the order's level follows (L7 accepted and picked_up, L7.1 out_for_delivery, L7.2
            delivery_failed, L7.5 returning, L7.3 returned, L7.6 lost, L7.4 cancelled, L8 delivered; pickup_failed takes
            the order back to L5, rule D6).
        vi: the carrier's own words.
        final: nothing follows by itself.
        provisional: a courier's report that a later status confirms; it moves neither money nor stock.
        settles: the carrier has paid the COD out.
        cancellable: the carrier accepts a cancellation in this status.
        either_way: a step that a parcel takes on its way back as well: it does not end a return that has begun.
        awaits_decision: the carrier asks the shop whether to deliver again or to return (ViettelPost 505, GHN
            waiting_to_return).
        needs_person: the carrier's word for something that goes no further without a person (GHN exception).
    """

    status: ShipmentStatus
    vi: str
    en: str
    final: bool = False
    provisional: bool = False
    settles: bool = False
    cancellable: bool = False
    either_way: bool = False
    awaits_decision: bool = False
    needs_person: bool = False


@dataclass(frozen=True)
class ReasonMeaning:
    """One row of a carrier's reason table."""

    vi: str
    en: str


@dataclass(frozen=True)
class CodeTable:
    """A carrier's codes as text → what they mean. A code that is not here is kept and raised, never refused."""

    statuses: Mapping[str, StatusMeaning]
    reasons: Mapping[str, ReasonMeaning]
