"""Which waiting orders get the stock that there is: pure, first closed first served (rule D19)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

Needs = Mapping[str, int]
"""SKU → units."""


def missing(available: Needs, needs: Needs) -> tuple[str, ...]:
    """The SKUs of which there is not enough."""
    return tuple(sku for sku, units in sorted(needs.items()) if available.get(sku, 0) < units)


def allot(available: Needs, queue: Iterable[tuple[UUID, Needs]]) -> Sequence[tuple[UUID, Needs]]:
    """The orders of the queue that can be served in full, in their order.

    An order gets everything or nothing. What the first in the queue lacks is kept for it: a later order does not get a
    unit of a SKU that an earlier one still waits for.
    """
    left = dict(available)
    awaited: set[str] = set()
    served = []
    for order_id, needs in queue:
        if awaited.isdisjoint(needs) and not missing(left, needs):
            for sku, units in needs.items():
                left[sku] -= units
            served.append((order_id, needs))
        else:
            awaited.update(needs)
    return served
