"""What is to be sent, from where and to whom, before an adapter puts it into a carrier's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.shipping.carriers.capabilities import Era

Level = Literal["province", "district", "ward"]


class PickUp(BaseModel):
    """Where the courier fetches parcels, and where they come back to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100, examples=["Kho Cầu Giấy"])
    phone: str = Field(pattern=r"^\+?[0-9]{8,15}$", examples=["0900000001"])
    province: str = Field(min_length=1, max_length=100, examples=["Hà Nội"])
    ward: str = Field(default="", max_length=100, examples=["Phường Cầu Giấy"])
    district: str = Field(default="", max_length=100, description="old three-tier form only")
    detail: str = Field(min_length=1, max_length=200, examples=["12 Trần Thái Tông"])
    place_id: str = Field(default="", max_length=40, description="the carrier's own id of this place, if it has one")


@dataclass(frozen=True, slots=True)
class Unit:
    """A province, district or ward in a carrier's own list, by its own code."""

    level: Level
    code: str
    name: str
    parent_code: str = ""
    """Of a district its province; of a ward its district in the old era, its province in the new."""
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CarrierUnits:
    """An address's units as they stand in a carrier's own list."""

    province: Unit
    ward: Unit
    district: Unit | None = None


@dataclass(frozen=True)
class Address:
    """The customer's address, as it was written on the order: official names, and codes where they were chosen."""

    province: str
    ward: str
    detail: str
    district: str = ""
    """Old era only."""
    province_code: str = ""
    """Of the statistics office, in the era of the address. Not a carrier's code."""
    district_code: str = ""
    ward_code: str = ""
    """One code names different wards in the two eras (26740): never look it up without the era."""
    units: CarrierUnits | None = None
    """Given where the carrier's capabilities ask for units of this era (`units_of`)."""

    @property
    def era(self) -> Era:
        return "old" if self.district else "new"


@dataclass(frozen=True)
class ParcelLine:
    name: str
    sku: str
    quantity: int
    unit_price: int
    """Đồng."""
    weight_grams: int
    """Of one piece."""


class Options(BaseModel):
    """How parcels are to be delivered: of a connection its defaults, with a shipment what was chosen for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str = Field(
        default="", max_length=40, description="the carrier's code; empty: its usual one", examples=["road"]
    )
    inspection: Literal["none", "look", "try"] | None = Field(
        default=None,
        description="what the receiver may do before paying: nothing, look at the goods, try them on; null: as agreed with "
        "the carrier",
    )
    payer: Literal["shop", "customer"] = Field(
        default="shop",
        description="who pays the carrier: shop = the customer pays the COD and no more; customer = the carrier asks its "
        "fee on top of the COD, so the order must not charge a shipping fee as well",
    )
    add_ons: tuple[str, ...] = Field(default=(), max_length=20, description="the carrier's codes of further services")
    failed_delivery_fee: int = Field(
        default=0, ge=0, le=20_000_000, description="đồng to ask of a receiver who refuses, where the carrier does that"
    )
    insured: bool = Field(default=True, description="declare the value of the goods for insurance")
    length_cm: int = Field(default=0, ge=0, le=500, description="of the packed parcel; 0: not known")
    width_cm: int = Field(default=0, ge=0, le=500)
    height_cm: int = Field(default=0, ge=0, le=500)


@dataclass(frozen=True)
class Parcel:
    """What is to be sent. Money in đồng."""

    reference: str
    """Ours, and the carrier's key against duplicates."""
    recipient: str
    phone: str
    """E.164."""
    to: Address
    lines: tuple[ParcelLine, ...]
    cod: int
    """What the courier asks of the customer in all (rule D30)."""
    value: int
    """Declared value of the goods."""
    note: str
    pick_up: PickUp
    pick_up_units: CarrierUnits | None = None
    """Where the carrier's capabilities ask for units of the pick-up address's era."""
    options: Options = field(default_factory=Options)
    waybill: str = ""
    """Typed by a person, for a carrier whose waybills are stickers on the desk."""

    @property
    def weight_grams(self) -> int:
        return sum(line.weight_grams * line.quantity for line in self.lines)


@dataclass(frozen=True)
class RecipientChange:
    """What changes of a parcel on its way; None stays."""

    recipient: str | None = None
    phone: str | None = None
    to: Address | None = None
    note: str | None = None
