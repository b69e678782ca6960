"""What a shipment costs. The amounts are ours: GHTK's price list depends on the contract."""

# đồng; within one province and between two.
_BASE_SAME_PROVINCE = 22_000
_BASE_OTHER_PROVINCE = 30_000
_FLY_SURCHARGE = 15_000
# Grams in the base price, and the size and price of each further part.
_BASE_WEIGHT = 500
_WEIGHT_STEP = 500
_STEP_PRICE = 2_500
# Declared value (đồng) up to which insurance is free, and its price in thousandths of the value above that.
_INSURED_FREE_UP_TO = 1_000_000
_INSURANCE_PER_MILLE = 5


def shipping_fee(*, pick_province: str, province: str, weight_gram: int, transport: str) -> int:
    """Fee in đồng for a parcel of `weight_gram` grams."""
    same = pick_province.strip().casefold() == province.strip().casefold()
    fee = _BASE_SAME_PROVINCE if same else _BASE_OTHER_PROVINCE
    if transport == "fly" and not same:
        fee += _FLY_SURCHARGE
    further_parts = -(-max(0, weight_gram - _BASE_WEIGHT) // _WEIGHT_STEP)
    return fee + further_parts * _STEP_PRICE


def insurance_fee(*, value: int) -> int:
    """Insurance in đồng for a declared value in đồng."""
    return 0 if value <= _INSURED_FREE_UP_TO else value * _INSURANCE_PER_MILLE // 1000
