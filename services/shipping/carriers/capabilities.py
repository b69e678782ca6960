"""What a carrier can do and what it takes, declared rather than guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Era = Literal["old", "new"]
"""Of an address: three tiers until 2025-06-30 (it has a district), two since 2025-07-01."""


class AdoptBy(StrEnum):
    """How a shipment whose creation had no answer is found again."""

    LOOK_UP = "look_up"
    """By our reference (`Carrier.look_up`)."""
    REPEAT = "repeat"
    """The same creation once more: the carrier refuses a second one under the reference, and its callbacks tell the
    waybill of the first."""


class Settlement(StrEnum):
    """How one learns that the carrier has paid the COD out. A statement always counts beside it."""

    STATUS = "status"
    """A status says so (GHTK 6)."""
    TRANSFER_DATE = "transfer_date"
    """The shipment's details give the day (GHN); the adapter reports it as a status of its own that settles."""
    STATEMENT = "statement"
    """Nothing but the statement does (ViettelPost)."""


class Command(StrEnum):
    """What can be asked of the carrier about a parcel on its way."""

    DELIVER_AGAIN = "deliver_again"
    SEND_BACK = "send_back"
    CHANGE_RECIPIENT = "change_recipient"


@dataclass(frozen=True)
class Limits:
    """The carrier's own bounds; None where it publishes none. Money in đồng."""

    cod_max: int | None = None
    value_max: int | None = None
    """Declared value of the goods."""
    weight_max_grams: int | None = None
    note_max: int | None = None
    """A longer note is cut at a word; everything else that is too long is refused."""
    note_in_bytes: bool = False
    """`note_max` counts bytes of UTF-8 instead of characters."""
    name_max: int | None = None
    detail_max: int | None = None
    reference_max: int | None = None


@dataclass(frozen=True)
class AddOn:
    """A further service of the carrier ("dịch vụ cộng thêm") that a shop can ask for with each parcel."""

    vi: str
    en: str


@dataclass(frozen=True)
class Capabilities:
    """What a carrier can do. The rest of shipping asks here, never for a carrier's name.

    Args:
        adopt_by: how a creation without an answer is found again.
        track: a parcel's status can be asked (`Carrier.track`); without it, `push_again` is the repair of lost callbacks.
        push_again: the carrier calls back once more with a parcel's journey when asked (`Carrier.ask_to_report`).
        label_sizes: of the carrier's own label; empty: it has none.
        labels_at_once: shipments in one request for labels.
        fee_quote, services, pick_up_places: the calls of these names exist.
        callbacks: the carrier calls us.
        settlement: how one learns that the COD was paid out.
        commands: what can be asked about a parcel on its way.
        eras: forms of addresses that the carrier understands.
        units_of: eras for which the carrier wants codes or names of its own list of units (`Carrier.units` reads it, the
            parcel brings what was found in it).
        inspection: the receiver may be allowed to look at or to try the goods.
        customer_pays: the carrier can ask its fee of the customer on top of the COD.
        failed_fee: the carrier can ask money of a receiver who refuses.
        add_ons: the carrier's code → what it is.
        limits: refused by us, with the carrier's rule, before it is called.
    """

    adopt_by: AdoptBy
    track: bool = True
    push_again: bool = False
    label_sizes: tuple[str, ...] = ()
    labels_at_once: int = 1
    fee_quote: bool = False
    services: bool = False
    pick_up_places: bool = False
    callbacks: bool = True
    settlement: Settlement = Settlement.STATEMENT
    commands: frozenset[Command] = frozenset()
    eras: frozenset[Era] = frozenset({"old", "new"})
    units_of: frozenset[Era] = frozenset()
    inspection: bool = False
    customer_pays: bool = False
    failed_fee: bool = False
    add_ons: Mapping[str, AddOn] = field(default_factory=dict)
    limits: Limits = Limits()
