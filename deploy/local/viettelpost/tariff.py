"""What a parcel costs, and which services there are. The amounts are ours: prices depend on the contract."""

from dataclasses import dataclass

_BASE_WEIGHT = 500  # grams
_WEIGHT_STEP = 500
_STEP_PRICE = 2_500  # đồng
_INSURANCE_PER_MILLE = 5
_INSURED_FREE_UP_TO = 1_000_000  # đồng


@dataclass(frozen=True, slots=True)
class Service:
    """One of ViettelPost's services."""

    code: str
    name: str
    base: int
    """Đồng."""
    duration: str


SERVICES = (
    Service("VHT", "Hỏa tốc", 60_000, "24 giờ"),
    Service("VCN", "Chuyển phát nhanh", 30_000, "48 giờ"),
    Service("VTK", "Chuyển phát tiết kiệm", 24_000, "72 giờ"),
)


def shipping_fee(service: str, *, weight_gram: int) -> int | None:
    """Fee in đồng; None for a service that there is not."""
    found = next((each for each in SERVICES if each.code == service), None)
    if found is None:
        return None
    further_parts = -(-max(0, weight_gram - _BASE_WEIGHT) // _WEIGHT_STEP)
    return found.base + further_parts * _STEP_PRICE


def insurance_fee(*, value: int) -> int:
    """Insurance in đồng for a declared value in đồng."""
    return 0 if value <= _INSURED_FREE_UP_TO else value * _INSURANCE_PER_MILLE // 1000
