"""Who gets which of many leads when a person deals them out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Share:
    """Somebody who is to get leads: so many, or an even part of what the others leave."""

    account_id: UUID
    count: int | None = None


def quotas(total: int, shares: Sequence[Share]) -> list[int]:
    """How many leads each gets at most, in the order of the shares.

    Whoever has a count gets that many; the others divide the rest evenly, and what cannot be divided goes to the first
    of them in the list. When the counts ask for more than there is, `split` serves them turn by turn.
    """
    rest = max(0, total - sum(share.count for share in shares if share.count is not None))
    open_ended = sum(share.count is None for share in shares)
    part, remainder = divmod(rest, open_ended) if open_ended else (0, 0)
    found = []
    for share in shares:
        if share.count is not None:
            found.append(share.count)
        else:
            found.append(part + (1 if remainder > 0 else 0))
            remainder -= 1
    return found


def split(total: int, shares: Sequence[Share]) -> list[UUID | None]:
    """The receiver of each lead in its order, dealt turn by turn in list order; None: the counts leave it to nobody.

    Dealing in turns gives everybody old and new leads alike. The same arguments always give the same list.
    """
    left = quotas(total, shares)
    receivers: list[UUID | None] = []
    while len(receivers) < total and any(left):
        for place, share in enumerate(shares):
            if left[place] and len(receivers) < total:
                left[place] -= 1
                receivers.append(share.account_id)
    return receivers + [None] * (total - len(receivers))
