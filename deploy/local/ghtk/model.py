"""What GHTK's shop has and what GHTK is asked for, beyond what every carrier is."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from deploy.local.carriers.model import CarrierSettings, Creation

FIRST_TRACKING_ID = 1_375_000_000


class SimulatorSettings(CarrierSettings):
    """How a simulated GHTK is set up. It resends a callback once (newer page of the webhook documentation)."""

    changeable: ClassVar[frozenset[str]] = CarrierSettings.changeable | {"callback_format"}

    token: Annotated[str, Field(min_length=1)] = "simulated-ghtk-token"
    """What callers must send in the header `Token`."""
    client_source: Annotated[str, Field(min_length=1)] = "S100001"
    """What callers must send in `X-Client-Source`; also the first part of every label."""
    callback_format: Literal["form", "json"] = "form"
    """GHTK's documentation shows JSON and sends a form."""


@dataclass(frozen=True, kw_only=True)
class GhtkCreation(Creation):
    """A creation request that GHTK would accept."""

    is_freeship: bool
    transport: Literal["road", "fly"]
    tags: tuple[int, ...]
    pick_province: str
    pick_date: str
    pick_work_shift: int
    deliver_work_shift: int
    is_xfast: bool


def own(settings: CarrierSettings) -> SimulatorSettings:
    """The settings of a simulated GHTK."""
    assert isinstance(settings, SimulatorSettings)
    return settings


def as_created(creation: Creation) -> GhtkCreation:
    """What the shop asked a simulated GHTK for."""
    assert isinstance(creation, GhtkCreation)
    return creation


@dataclass(frozen=True, slots=True)
class PickUpAddress:
    """A warehouse of the shop that the carrier knows."""

    pick_address_id: str
    pick_name: str
    pick_tel: str
    address: str
    province: str


PICK_UP_ADDRESSES = (
    PickUpAddress("88001", "Kho Cầu Giấy", "0900000001", "12 Trần Thái Tông, Cầu Giấy, Hà Nội", "Hà Nội"),
    PickUpAddress("88002", "Kho Tân Bình", "0900000002", "34 Cộng Hòa, Tân Bình, TP. Hồ Chí Minh", "TP. Hồ Chí Minh"),
)
