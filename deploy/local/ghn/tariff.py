"""What a parcel costs at the simulated GHN. The amounts are ours: GHN's price list depends on the contract."""

from deploy.local.carriers.model import Creation, Fees
from deploy.local.ghn.model import as_created

# đồng; within the first part of the weight, and of each further one.
_BASE = 20_500
_BASE_WEIGHT = 500
_WEIGHT_STEP = 500
_STEP_PRICE = 5_000
# Declared value (đồng) up to which insurance is free, and its price in thousandths of the whole value above that.
_INSURED_FREE_UP_TO = 1_000_000
_INSURANCE_PER_MILLE = 5


def fees(creation: Creation) -> Fees:
    """By the greater of weight and converted weight, as GHN reckons."""
    asked = as_created(creation)
    charged = max(asked.weight_gram, asked.converted_weight)
    shipping = _BASE + -(-max(0, charged - _BASE_WEIGHT) // _WEIGHT_STEP) * _STEP_PRICE
    insured = asked.insurance_value
    return Fees(shipping, 0 if insured <= _INSURED_FREE_UP_TO else insured * _INSURANCE_PER_MILLE // 1000)
