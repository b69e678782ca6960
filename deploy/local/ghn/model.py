"""What GHN's shop has and what GHN is asked for, beyond what every carrier is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import Field

from deploy.local.carriers.model import CarrierSettings, Creation

WEIGHT_UPDATE = "update_weight"
COD_UPDATE = "update_cod"
FEE_UPDATE = "update_fee"


class SimulatorSettings(CarrierSettings):
    """How a simulated GHN is set up. It repeats a callback ten times, five seconds apart (documentation id=47)."""

    changeable: ClassVar[frozenset[str]] = CarrierSettings.changeable | {"announce_transfer", "upper_case_types"}

    token: Annotated[str, Field(min_length=1)] = "5f1c6f04-0000-11ef-8e53-0a00184fe694"
    """What callers must send in the header `Token`."""
    shop_id: Annotated[int, Field(gt=0)] = 885
    """What callers must send in `ShopId`."""
    client_id: Annotated[int, Field(gt=0)] = 500379
    """The account that the token and the shop belong to."""
    callback_attempts: Annotated[int, Field(ge=1, le=100)] = 11
    """How often a callback that is not answered with 200 is sent, the first time included."""
    resend_after_seconds: Annotated[float, Field(ge=0)] = 5.0
    """Pause before the repetition of a callback that was not answered with 200."""
    announce_transfer: bool = False
    """Tell the payment of the COD by a callback of the type update_cod. No documented type is for it: without this only
    the detail of the order, and callbacks that come later, show its date."""
    lists_only: tuple[str, ...] = ()
    """Provinces that the three-tier lists tell, by GHN's names; none: all, whose wards take 700 requests. Parcels go
    everywhere all the same."""
    upper_case_types: bool = False
    """`Create` and `Switch_status` as the documentation's text has them, instead of `create` as in its sample."""


@dataclass(frozen=True, kw_only=True)
class GhnCreation(Creation):
    """A creation request that GHN would accept."""

    length: int
    width: int
    height: int
    insurance_value: int
    service_type_id: int
    payment_type_id: int
    required_note: str
    content: str
    cod_failed_amount: int
    is_new_to_address: bool
    to_district_id: int
    to_ward_code: str
    from_name: str
    from_phone: str
    from_address: str

    @property
    def converted_weight(self) -> int:
        """Grams that the parcel is charged for at least: its volume in cm³ by five."""
        return self.length * self.width * self.height // 5


def own(settings: CarrierSettings) -> SimulatorSettings:
    """The settings of a simulated GHN."""
    assert isinstance(settings, SimulatorSettings)
    return settings


def as_created(creation: Creation) -> GhnCreation:
    """What the shop asked a simulated GHN for."""
    assert isinstance(creation, GhnCreation)
    return creation


def timestamp(at: datetime) -> str:
    """GHN writes UTC with milliseconds and a Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
