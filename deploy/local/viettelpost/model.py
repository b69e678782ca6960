"""What ViettelPost's customer has and what ViettelPost is asked for, beyond what every carrier is."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from deploy.local.carriers.faults import Faults
from deploy.local.carriers.model import CarrierSettings, Creation
from deploy.local.simulator.dice import Rate

FIRST_WAYBILL = 10_345_381_626


class SimulatorSettings(CarrierSettings):
    """How a simulated ViettelPost is set up. How often it repeats a callback is not documented; here it is five times."""

    changeable: ClassVar[frozenset[str]] = CarrierSettings.changeable | {
        "callback_token",
        "callback_wobble",
        "token_generation",
        "expired_as",
        "label_format",
    }

    callback_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """How often a callback that is not answered with 200 is sent, the first time included."""
    username: Annotated[str, Field(min_length=1)] = "simulated-vtp"
    """Account that may log in."""
    password: Annotated[str, Field(min_length=1)] = "simulated-vtp-password"
    """Its password."""
    portal_token: str = ""
    """A token made in the portal: accepted in calls until the generation changes, and by LoginVTP for ever."""
    token_lifetime_seconds: Annotated[float, Field(gt=0)] = 365 * 86_400.0
    """Of a long token, in simulated time."""
    token_generation: Annotated[int, Field(ge=1)] = 1
    """Another number ends every token that was issued before."""
    expired_as: Literal["envelope", "http"] = "envelope"
    """A token that is not accepted is told in the envelope of an HTTP 200, or as HTTP 401."""
    callback_token: str = ""
    """TOKEN in every callback; empty leaves it out."""
    callback_wobble: bool = True
    """Callbacks change their spelling: lower case, numbers as text, newer names, no wrapper."""
    label_format: Literal["pdf", "html"] = "pdf"
    """What the print address answers with."""


class SimulatorFaults(Faults):
    """The switches of every carrier, and one for the repair of lost callbacks."""

    ignore_push_again: Rate = 0.0
    """registerOrderHook says yes and pushes nothing."""


@dataclass(frozen=True, kw_only=True)
class VtpCreation(Creation):
    """A creation request that ViettelPost would accept."""

    order_reference: str
    """ORDER_NUMBER of the shop. The core's `reference` is empty for a second order under one number, which ViettelPost
    makes where CHECK_UNIQUE is not asked for."""
    order_payment: int
    order_service: str
    sender_address: str


def own(settings: CarrierSettings) -> SimulatorSettings:
    """The settings of a simulated ViettelPost."""
    assert isinstance(settings, SimulatorSettings)
    return settings


def as_created(creation: Creation) -> VtpCreation:
    """What the shop asked a simulated ViettelPost for."""
    assert isinstance(creation, VtpCreation)
    return creation


@dataclass(frozen=True, slots=True)
class Inventory:
    """A warehouse of the shop that ViettelPost knows."""

    group_address_id: int
    name: str
    phone: str
    address: str
    province_id: int
    district_id: int
    wards_id: int


INVENTORIES = (
    Inventory(88001, "Kho Cầu Giấy", "0900000001", "12 Trần Thái Tông", 1, 4, 41),
    Inventory(88002, "Kho Quận 1", "0900000002", "34 Đồng Khởi", 2, 43, 431),
)
