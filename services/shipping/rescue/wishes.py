"""What can be asked of a carrier about a failed delivery. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from services.shipping.carriers.capabilities import Capabilities, Command
from services.shipping.carriers.parcel import Address, RecipientChange
from shared.contracts.events.shipping_rescue import RescueWish

LATEST: Final = timedelta(days=7)
"""No carrier keeps a parcel longer for a customer who is away."""
WORDS: Final[dict[RescueWish, tuple[str, str]]] = {
    "deliver_again": ("Giao lại", "Deliver again"),
    "change_recipient": ("Đổi người nhận, số điện thoại hoặc địa chỉ rồi giao lại", "Change recipient, deliver again"),
    "send_back": ("Hoàn hàng", "Send back"),
    "customer_refuses": ("Khách không nhận", "The customer will not take it"),
}
NEEDS: Final[dict[RescueWish, frozenset[Command]]] = {
    "deliver_again": frozenset({Command.DELIVER_AGAIN}),
    "change_recipient": frozenset({Command.DELIVER_AGAIN, Command.CHANGE_RECIPIENT}),
    "send_back": frozenset({Command.SEND_BACK}),
    "customer_refuses": frozenset({Command.SEND_BACK}),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody decided.

    Args:
        day: of the delivery; None: as soon as may be.
        note: for the courier.
        change: phone, name or address; only with `change_recipient`.
        by_hand: the carrier was told by telephone or on its site.
        replace: whoever decides knows that a colleague has decided before.
    """

    kind: RescueWish
    day: date | None = None
    note: str = ""
    change: RecipientChange | None = None
    by_hand: bool = False
    replace: bool = False


def can(capabilities: Capabilities, kind: RescueWish) -> bool:
    """Whether the carrier takes it through its interface."""
    return NEEDS[kind] <= capabilities.commands


def needs_nobody(capabilities: Capabilities, kind: RescueWish) -> bool:
    """A parcel that the customer refuses comes back by itself where the carrier cannot be told so."""
    return kind == "customer_refuses" and not can(capabilities, kind)


def note_of(kind: RescueWish, *, day: date | None, note: str) -> str:
    """What the courier reads."""
    said = {
        "send_back": "Shop yêu cầu hoàn hàng",
        "customer_refuses": "Khách không nhận, hoàn về shop",
    }.get(kind) or (f"Giao lại ngày {day:%d/%m/%Y}" if day is not None else "Giao lại")
    return f"{said}. {note}" if note else said


def address_fields(to: Address) -> dict[str, str]:
    """An address as columns name it."""
    names = ("province", "district", "ward", "detail", "province_code", "district_code", "ward_code")
    return {name: getattr(to, name) for name in names}
